"""Flat windows of several features, which a table of univariate windows is not.

``WindowTransformer(flatten=True)`` is for regressors that take tables. As univariate
windows, its rows would be `n_features` times as long, and features would count as steps.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NAME_OF_LAG = re.compile(r"(.*)_lag\d+")
# Pairs of last rows that are compared; the first rows may be filled in.
N_PAIRS = 64


def check_not_flat(table: NDArray, column_names: Sequence[str] | None) -> None:
    """Raise if a table holds flat windows of several features.

    Names of columns tell, or rows: each is the one before it, moved by a whole step of
    several columns, but for first rows that an imputer has filled, by means or by one
    number. (Without those, windows of one feature of which only every few were kept look
    the same.)
    """
    n_features = _features_by_name(column_names) or _features_by_overlap(table)
    if n_features > 1:
        raise ValueError(
            f"X holds flat windows of {n_features} features, as "
            "WindowTransformer(flatten=True) makes them for regressors that take tables. "
            "LSTMRegressor reads windows of shape (n_samples, seq_length, n_features): set "
            "flatten=False, and leave out an imputer in between. If they are windows of "
            f"one feature of which every {n_features}th was kept, pass X[:, :, None]."
        )


def _features_by_name(column_names: Sequence[str] | None) -> int:
    if column_names is None:
        return 0
    matches = [NAME_OF_LAG.fullmatch(name) for name in column_names]
    return len({match[1] for match in matches if match}) if all(matches) else 0


def _features_by_overlap(table: NDArray) -> int:
    n_rows, n_columns = table.shape
    for shift in range(1, n_columns // 2 + 1):
        n_pairs = min(N_PAIRS, n_rows - 1 - n_columns // shift)
        if n_columns % shift or n_pairs < 2:
            continue
        if _overlap(table[-n_pairs - 1 :], shift):
            is_filled = not _overlap(table[:2], shift) or (table[0] == table[0, 0]).all()
            return shift if shift > 1 and is_filled else 0
    return 0


def _overlap(rows: NDArray, shift: int) -> bool:
    """Whether each row is the one before it, moved by so many columns."""
    return np.array_equal(rows[:-1, shift:], rows[1:, :-shift])
