"""GateDisplay: gates and states of an LSTM, over one window or over the series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklstm._pipelines import resolve_regressor
from sklstm._sklearn_compat import check_matplotlib_support
from sklstm._training._inputs import check_windows
from sklstm.inspection._axes import (
    FEW_POINTS,
    Style,
    add_legend,
    label_positions,
    make_axes,
    merged_style,
    row_positions,
    text_color,
)
from sklstm.inspection._equations import PARTS
from sklstm.inspection._gates import parts_of_steps, parts_of_windows
from sklstm.windows._labels import table_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

    from sklstm.inspection._axes import AxesLike


@dataclass(frozen=True)
class _VerticalAxis:
    label: str
    limits: tuple[float, float] | None = None


# In the order of a figure with two columns: gates on the left.
AXES = {
    "input_gate": _VerticalAxis("input gate $i_t$", (0, 1)),
    "candidate": _VerticalAxis("candidate $g_t$", (-1, 1)),
    "forget_gate": _VerticalAxis("forget gate $f_t$", (0, 1)),
    "cell_state": _VerticalAxis("cell state $c_t$"),
    "output_gate": _VerticalAxis("output gate $o_t$", (0, 1)),
    "hidden_state": _VerticalAxis("hidden state $h_t$", (-1, 1)),
}
UNIT_STYLES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


class GateDisplay:
    """Gates, cell state and hidden state of an LSTM, step by step.

    Create one with :meth:`from_estimator`: over the steps of one window, or over the rows
    of a series, each at the end of its window. Each part is drawn as its mean over the
    units and the range from their 10th to their 90th percentile; single units can be added.

    Parameters
    ----------
    parts : dict of str to ndarray of shape (n_points, units)
        The values, named as in :func:`gates`.

    positions : ndarray of shape (n_points,), default=None
        Horizontal position of each point; counted from 1 by default.

    xlabel : str, default="step of the window"
        Name of the horizontal axis.

    Attributes
    ----------
    lines_ : dict of str to matplotlib Line2D
        Mean over the units, for each part drawn.

    bands_ : dict of str to matplotlib PolyCollection
        Range of the units.

    unit_lines_ : dict of str to list of matplotlib Line2D
        Single units.

    axes_ : ndarray of shape (n_parts,)
        Axes of each part, in the order of `lines_`.

    ax_ : matplotlib Axes
        The first of them.

    figure_ : matplotlib Figure
        Figure of the Axes.

    See Also
    --------
    gates : The values themselves.
    cell_gradient : How much the last cell state depends on each earlier one.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import GateDisplay, LSTMRegressor, WindowTransformer
    >>> series = np.sin(0.3 * np.arange(60))
    >>> model = make_pipeline(
    ...     WindowTransformer(seq_length=8),
    ...     LSTMRegressor(units=4, epochs=2, random_state=0),
    ... ).fit(series[:, None], series)
    >>> display = GateDisplay.from_estimator(model, series[:, None], row=-1)
    >>> list(display.lines_)
    ['input_gate', 'candidate', 'forget_gate', 'cell_state', 'output_gate', 'hidden_state']
    >>> GateDisplay.from_estimator(model, series[:, None], row=60)
    Traceback (most recent call last):
    ...
    ValueError: row=60 is not among the 60 rows of X. Use -60 to 59, or None for all rows.
    """

    def __init__(
        self,
        parts: Mapping[str, NDArray],
        *,
        positions: NDArray | None = None,
        xlabel: str = "step of the window",
    ) -> None:
        self.parts = parts
        self.positions = positions
        self.xlabel = xlabel

    def plot(
        self,
        ax: "AxesLike | None" = None,
        *,
        names: Sequence[str] | None = None,
        units: Sequence[int] = (),
        line_kwargs: Style | None = None,
        band_kwargs: Style | None = None,
        unit_kwargs: Style | None = None,
    ) -> Self:
        """Draw gates and states.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on, one for each of `names`; a new figure by default.

        names : sequence of str, default=None
            Which parts to draw, such as ``["forget_gate", "cell_state"]``; all six by
            default.

        units : sequence of int, default=()
            Units to draw individually.

        line_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the mean.

        band_kwargs : dict, default=None
            Keywords for matplotlib's ``fill_between`` of the range.

        unit_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of single units.

        Returns
        -------
        display : GateDisplay
            The display, with what was drawn as attributes.

        Raises
        ------
        ValueError
            If there is no such part or unit, or the number of Axes in `ax` is not that of
            `names`.

        ImportError
            If matplotlib is not installed.
        """
        names = _check_names(list(AXES) if names is None else names)
        units = _check_units(units, n_units=self.parts[names[0]].shape[1])
        self.axes_ = make_axes(
            ax,
            len(names),
            caller=f"{type(self).__name__}.plot",
            n_columns=2 if len(names) > 3 else 1,
            height=1.7,
        )
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.lines_: dict[str, Line2D] = {}
        self.bands_: dict[str, PolyCollection] = {}
        self.unit_lines_: dict[str, list[Line2D]] = {}
        for name, axes in zip(names, self.axes_, strict=True):
            self._plot_units(axes, name, line_kwargs, band_kwargs)
            self.unit_lines_[name] = [
                self._plot_unit(axes, name, unit, number, unit_kwargs)
                for number, unit in enumerate(units)
            ]
            _frame(axes, name)
            self._label_positions(axes)
        add_legend(self.ax_, is_own_figure=ax is None)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        *,
        row: int | None = None,
        layer: int = -1,
        direction: Literal["forward", "backward"] = "forward",
        ax: "AxesLike | None" = None,
        names: Sequence[str] | None = None,
        units: Sequence[int] = (),
        line_kwargs: Style | None = None,
        band_kwargs: Style | None = None,
        unit_kwargs: Style | None = None,
    ) -> Self:
        """Compute and draw the gates and states of a fitted LSTM.

        Parameters
        ----------
        estimator : estimator instance
            A fitted :class:`LSTMRegressor`, a :class:`~sklearn.pipeline.Pipeline` that
            ends in one, or a fitted search over either.

        X : array-like
            What ``estimator.predict`` takes.

        row : int, default=None
            Row whose window is drawn, step by step; negative numbers count from the end. By
            default all rows are drawn, each at the last step read of its window. If `X` is
            a single window, its steps are drawn.

        layer : int, default=-1
            Which layer: 0 is the one that reads the window, -1 the last one.

        direction : {"forward", "backward"}, default="forward"
            "backward" is the LSTM of a bidirectional layer that reads the window from its
            last step to its first.

        ax : matplotlib Axes or array of them, default=None
            Axes to draw on, one for each of `names`; a new figure by default.

        names : sequence of str, default=None
            Which parts to draw, such as ``["forget_gate", "cell_state"]``; all six by
            default.

        units : sequence of int, default=()
            Units to draw individually.

        line_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the mean.

        band_kwargs : dict, default=None
            Keywords for matplotlib's ``fill_between`` of the range.

        unit_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of single units.

        Returns
        -------
        display : GateDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no such row, layer, direction, part or unit, `estimator` does not
            end in an :class:`LSTMRegressor`, or cannot predict from `X`.

        NotFittedError
            If `estimator` is not fitted.

        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        regressor, read = resolve_regressor(estimator, X)
        windows, _ = check_windows(regressor, read, like=regressor._fitted().shape.inputs)
        if row is None and len(windows) > 1:
            parts = parts_of_windows(regressor, windows, layer=layer, direction=direction)
            positions, xlabel = row_positions(table_index(X), len(windows))
            display = cls(parts, positions=positions, xlabel=xlabel)
        else:
            one = [_check_row(row or 0, len(windows))]
            parts = parts_of_steps(
                regressor, windows.rows(one), layer=layer, direction=direction
            )
            display = cls({part: values[0] for part, values in parts.items()})
        return display.plot(
            ax=ax,
            names=names,
            units=units,
            line_kwargs=line_kwargs,
            band_kwargs=band_kwargs,
            unit_kwargs=unit_kwargs,
        )

    def _plot_units(
        self, axes: "Axes", name: str, line_kwargs: Style | None, band_kwargs: Style | None
    ) -> None:
        """Draw the mean over the units, and the range of most of them."""
        values = self.parts[name]
        n_points, n_units = values.shape
        line_style = {
            "label": f"mean of {n_units} units" if n_units > 1 else "the only unit",
            "color": "C0",
            "linewidth": 1.8,
            "marker": "o" if n_points <= FEW_POINTS else "",
            "markersize": 3,
        }
        band_style = {
            "label": "10th to 90th percentile",
            "facecolor": "C0",
            "alpha": 0.25,
            "linewidth": 0,
        }
        (self.lines_[name],) = axes.plot(
            self._x(), values.mean(axis=1), **merged_style(line_style, line_kwargs)
        )
        self.bands_[name] = axes.fill_between(
            self._x(),
            *np.quantile(values, [0.1, 0.9], axis=1),
            **merged_style(band_style, band_kwargs),
        )

    def _plot_unit(
        self, axes: "Axes", name: str, unit: int, number: int, unit_kwargs: Style | None
    ) -> "Line2D":
        unit_style = {
            "label": f"unit {unit}",
            "color": text_color(),
            "linewidth": 1.2,
            "linestyle": UNIT_STYLES[number % len(UNIT_STYLES)],
        }
        values = self.parts[name][:, unit]
        (line,) = axes.plot(self._x(), values, **merged_style(unit_style, unit_kwargs))
        return line

    def _label_positions(self, axes: "Axes") -> None:
        label_positions(axes, self._x())
        if self.positions is None:  # show unknown steps as gaps
            n_steps = len(self._x())
            axes.set_xlim(0.5 - 0.02 * n_steps, n_steps + 0.5 + 0.02 * n_steps)
        place = axes.get_subplotspec()
        if place is None or place.is_last_row():
            axes.set_xlabel(self.xlabel)

    def _x(self) -> NDArray:
        n_points = len(self.parts["cell_state"])
        return np.arange(1, n_points + 1) if self.positions is None else self.positions


def _frame(axes: "Axes", name: str) -> None:
    """Label the vertical axis, and set its limits to the range of the part."""
    vertical = AXES[name]
    axes.set_ylabel(vertical.label)
    if vertical.limits is not None:
        bottom, top = vertical.limits
        margin = 0.04 * (top - bottom)
        axes.set_ylim(bottom - margin, top + margin)
        axes.set_yticks(np.linspace(bottom, top, 5))
    if not name.endswith("gate"):
        axes.axhline(0, color="grey", linewidth=0.6, zorder=0)


def _check_row(row: int, n_rows: int) -> int:
    if not -n_rows <= row < n_rows:
        raise ValueError(
            f"row={row!r} is not among the {n_rows} rows of X. Use {-n_rows} to "
            f"{n_rows - 1}, or None for all rows."
        )
    return row


def _check_names(names: Sequence[str]) -> list[str]:
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in PARTS:
            raise ValueError(f"names holds {name!r}; the parts are {', '.join(PARTS)}.")
    if not names:
        raise ValueError("names is empty; name at least one part, or None for all.")
    return names


def _check_units(units: Sequence[int], n_units: int) -> list[int]:
    for unit in units:
        if not -n_units <= unit < n_units:
            raise ValueError(
                f"units holds {unit!r}, which is not among the {n_units} units of the "
                f"layer. Use 0 to {n_units - 1}."
            )
    return list(units)
