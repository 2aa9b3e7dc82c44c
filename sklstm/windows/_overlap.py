"""Overlap of consecutive rows of windows: the columns of each row against the next row's.

Only values are compared here; `_layout` interprets an overlap.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# Share of the pairs that have to agree, beyond agreement by chance. It is below 1 because
# rows do not overlap where one series of a table ends and the next begins.
AGREEMENT = 0.8
# The same share if some rows are missing, so that only some pairs are neighbours.
SOME_AGREEMENT = 0.2
# Between these shares, columns are neither clearly lags of one series nor unrelated.
HARDLY, CLEARLY = 0.3, 0.9
# Evidence against agreement by chance, in nats.
EVIDENCE = 10.0
# Number of other rows that each row is compared with to measure agreement by chance.
N_PARTNERS = 16

Direction = Literal["forward", "backward"]


@dataclass(frozen=True)
class Overlap:
    """Agreement of two adjacent columns of one row with those of the next row.

    Attributes
    ----------
    forward, backward : ndarray of shape (seq_length - 1, n_features)
        Share of pairs that agree beyond chance, at most 1. Forward, the next row holds the
        later step in place of the earlier one, as windows with the oldest step first do;
        backward, the other way round.

    tells : ndarray of bool, of the same shape
        Whether there is enough evidence to judge. There is none in constant columns, nor
        in rare events that the compared rows do not contain.
    """

    forward: NDArray[np.floating]
    backward: NDArray[np.floating]
    tells: NDArray[np.bool_]

    def only(self, direction: Direction) -> NDArray[np.bool_]:
        """Return whether columns overlap in this direction and not in the other."""
        both = self.forward >= AGREEMENT, self.backward >= AGREEMENT
        this, other = both if direction == "forward" else both[::-1]
        return this & ~other & self.tells

    def is_all(self, direction: Direction) -> bool:
        """Return whether all columns with evidence overlap so, and some only so."""
        share = self.forward if direction == "forward" else self.backward
        agrees = (share >= AGREEMENT) | ~self.tells
        return bool(self.only(direction).any() and agrees.all())

    def has_feature(self, direction: Direction) -> bool:
        """Return whether all steps of some feature overlap so, and some only so."""
        share = self.forward if direction == "forward" else self.backward
        agrees = ((share >= AGREEMENT) | ~self.tells).all(axis=0)
        return bool((agrees & self.only(direction).any(axis=0)).any())

    def is_blurred(self) -> bool:
        """Return whether some columns overlap in only part of the pairs."""
        share = np.maximum(self.forward, self.backward)[self.tells]
        return bool(((share > HARDLY) & (share < CLEARLY)).any())

    def is_partly_forward(self) -> bool:
        """Return whether all columns overlap forward in part of the pairs.

        They do so if some rows are missing.
        """
        agrees = (self.forward >= SOME_AGREEMENT) | ~self.tells
        return bool(self.tells.any() and agrees.all())


def overlap(this: NDArray, following: NDArray) -> Overlap:
    """Compare rows (n_pairs, seq_length, n_features) with the rows that follow them.

    A scaler after the lags gives each column its own mean and standard deviation. So, if
    columns do not hold equal numbers, a linear relation between them counts too. Equal
    numbers are preferred, since a series that is a straight line fits any linear relation.
    """
    ahead, behind = (this[:, 1:], following[:, :-1]), (this[:, :-1], following[:, 1:])
    sides = [ahead, behind, _on_one_scale(*ahead), _on_one_scale(*behind)]
    if not any((_share_in_pairs(*columns) >= AGREEMENT).any() for columns in sides):
        nothing = np.zeros(this[0, 1:].shape)
        return Overlap(nothing, nothing, nothing > 0)
    shares, evidence = zip(*(_agreement(*columns) for columns in sides), strict=True)
    is_equal = np.maximum(*shares[:2]) >= AGREEMENT
    # Calendar features are linear both ways, except where the calendar starts again.
    is_line = np.minimum(*shares[2:]) >= HARDLY
    on_one_scale = (np.where(is_line, np.maximum(*shares[2:]), s) for s in shares[2:])
    forward, backward = (
        np.where(is_equal, equal, scaled)
        for equal, scaled in zip(shares[:2], on_one_scale, strict=True)
    )
    is_repeated = (this == this[:, :1]).all(axis=(0, 1))  # all steps have one value
    tells = (np.maximum.reduce(evidence) >= EVIDENCE) & ~is_repeated
    return Overlap(forward, backward, tells)


def has_forward_shift(this: NDArray, following: NDArray, *, most: int = 64) -> bool:
    """Return whether each window may begin several steps after the one before it.

    If only every second or third row was kept, periodic series seem to run backward.
    """
    for shift in range(2, min(this.shape[1], most)):
        share, evidence = _agreement(this[:, shift:], following[:, :-shift])
        tells = evidence >= EVIDENCE
        if tells.any() and ((share >= AGREEMENT) | ~tells).all():
            return True
    return False


def agrees(this: NDArray, following: NDArray) -> NDArray[np.bool_]:
    """Return whether columns (n_pairs, ...) hold the same numbers, and not by chance."""
    share, evidence = _agreement(this, following)
    return (share >= AGREEMENT) & (evidence >= EVIDENCE)


def _agreement(
    this: NDArray, following: NDArray, tolerance: NDArray | float = 0.0
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the share of pairs (n_pairs, ...) that agree beyond chance, and its evidence.

    The evidence is that of the observed agreement, if there is any. Else it is the evidence
    that full agreement would have been, which shows whether disagreement means anything.
    """
    n_pairs = len(this)
    in_pairs = _share_in_pairs(this, following, tolerance)
    across = _share_across_pairs(this, following, tolerance)
    share = (in_pairs - across) / (1 - across)
    likely = np.maximum(_share_across_pairs(this, this), across)
    likely = np.maximum(_share_across_pairs(following, following), likely)
    observed = np.where(share >= AGREEMENT, in_pairs, 1.0)
    rest = 1 - observed
    evidence = observed * np.log(observed / likely)
    evidence += rest * np.log(np.maximum(rest, 1e-300) / (1 - likely))
    return share, np.where(observed > likely, n_pairs * evidence, 0.0)


def _share_in_pairs(
    this: NDArray, following: NDArray, tolerance: NDArray | float = 0.0
) -> NDArray[np.floating]:
    return (np.abs(this - following) <= tolerance).mean(axis=0)


def _share_across_pairs(
    this: NDArray, following: NDArray, tolerance: NDArray | float = 0.0
) -> NDArray[np.floating]:
    """Return the share of equal values (n_pairs, ...) between rows that are not pairs."""
    n_pairs = len(this)
    shifts = np.unique(np.linspace(1, n_pairs - 1, N_PARTNERS).astype(int))
    same = [_share_in_pairs(this, np.roll(following, s, 0), tolerance) for s in shifts]
    return np.clip(np.mean(same, axis=0), n_pairs**-2.0, 1 - 1e-9)


def _on_one_scale(
    this: NDArray, following: NDArray
) -> tuple[NDArray, NDArray, NDArray[np.floating]]:
    """Return columns on the scale of those they are compared with, and a tolerance.

    The linear relation is fitted by medians, so that it holds for most pairs, whatever the
    others are.
    """
    steps, later_steps = np.diff(this, axis=0), np.diff(following, axis=0)
    moves = steps != 0
    slopes = np.divide(later_steps, steps, out=np.full(steps.shape, np.nan), where=moves)
    slopes[0] = np.where(moves.any(axis=0), slopes[0], 0.0)
    slopes.sort(axis=0)  # NaN last
    middle = np.maximum(moves.sum(axis=0) - 1, 0) // 2
    slope = np.take_along_axis(slopes, middle[np.newaxis], axis=0)[0]
    on_scale = this * slope
    on_scale += np.median(following - on_scale, axis=0)
    eps = np.finfo(this.dtype).eps
    tolerance = np.where(slope > 0, eps**0.6 * np.ptp(following, axis=0), -1.0)
    return on_scale, following, tolerance
