"""The lines, bands and shades of one output of a ForecastDisplay."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from sklstm.inspection._axes import (
    FEW_POINTS,
    MANY_POINTS,
    Style,
    merged_style,
    runs,
    text_color,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import FillBetweenPolyCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    from sklstm.inspection._forecast_display import ForecastDisplay

# Opacity of the widest band, and what each narrower one on top of it adds.
BAND_ALPHA, MORE_ALPHA = 0.2, 0.15


def columns_of(y: NDArray) -> NDArray:
    """Return values with a column for each output."""
    return np.reshape(y, (len(y), -1))


@dataclass(frozen=True)
class OutputLines:
    """What is drawn of one output: values at positions `x`, NaN where there are none."""

    x: NDArray
    true: NDArray
    pred: NDArray
    baseline: NDArray | None
    baseline_name: str
    bounds: dict[str, NDArray]
    n_history: int
    n_outputs: int

    @classmethod
    def of(cls, display: "ForecastDisplay", output: int) -> Self:
        """Take the values of an output out of a display."""
        true, pred = (columns_of(y)[:, output] for y in (display.y_true, display.y_pred))
        baseline = None
        if display.y_baseline is not None:
            baseline = columns_of(display.y_baseline)[:, output]
        return cls(
            np.arange(len(true)) if display.positions is None else display.positions,
            true,
            pred,
            baseline,
            display.baseline_name,
            {
                name: np.reshape(bounds, (len(bounds), -1, 2))[:, output]
                for name, bounds in (display.intervals or {}).items()
            },
            display.n_history,
            columns_of(display.y_true).shape[1],
        )

    def draw(
        self,
        axes: "Axes",
        true_kwargs: Style | None,
        pred_kwargs: Style | None,
        baseline_kwargs: Style | None,
    ) -> tuple["Line2D", "Line2D", list["Line2D"]]:
        """Draw and return the lines of true, predicted and, if asked for, baseline."""
        n_points = len(self.true)
        is_short, is_long = n_points <= FEW_POINTS, n_points > MANY_POINTS
        pred_name, baseline_name, title = self._names()
        if title:
            axes.set_title(title, loc="right", fontsize="small")
        true_style: Style = {
            "label": "true",
            "color": text_color(),
            "linewidth": 0.7 if is_long else 1.0,
            "marker": "o" if is_short else "",
            "markersize": 3,
        }
        (true,) = axes.plot(self.x, self.true, **merged_style(true_style, true_kwargs))
        baseline = []
        if self.baseline is not None:
            baseline_style: Style = {
                "label": baseline_name,
                "color": "C0",
                "linewidth": 0.7 if is_long else 1.5,
                "linestyle": (0, (1, 1.2)),
            }
            style = merged_style(baseline_style, baseline_kwargs)
            baseline = axes.plot(*self._joined(self.baseline), **style)
        pred_style: Style = {
            "label": pred_name,
            "color": "C1",
            "linewidth": 0.7 if is_long else 1.8,
            "alpha": 0.7 if is_long else None,
            "linestyle": (0, (3, 1)) if is_short else "-",
            "marker": "s" if is_short else "",
            "markersize": 3,
            "markevery": slice(1 if self.n_history else 0, None),
        }
        style = merged_style(pred_style, pred_kwargs)
        (pred,) = axes.plot(*self._joined(self.pred), **style)
        return true, pred, baseline

    def draw_bands(
        self, axes: "Axes", interval_kwargs: Style | None
    ) -> list["FillBetweenPolyCollection"]:
        """Fill between the bounds, in the colour of the line that was drawn last."""
        bands = []
        color = axes.get_lines()[-1].get_color()
        for number, (name, bounds) in enumerate(self.bounds.items()):
            style: Style = {
                "label": name,
                "color": color,
                "alpha": min(BAND_ALPHA + number * MORE_ALPHA, 0.8),
                "linewidth": 0,
                "zorder": 1,
            }
            x, lower = self._joined(bounds[:, 0])
            _, upper = self._joined(bounds[:, 1])
            style = merged_style(style, interval_kwargs)
            bands.append(axes.fill_between(x, lower, upper, **style))
        return bands

    def _joined(self, values: NDArray) -> tuple[NDArray, NDArray]:
        """Return positions and values of what follows a history, from its last value on."""
        start = self.n_history
        if not start:
            return self.x, values
        joined = values[start - 1 :].copy()
        joined[0] = self.true[start - 1]
        return self.x[start - 1 :], joined

    def _names(self) -> tuple[str, str, str]:
        """Return the names of prediction and baseline, and the title of the output.

        With a baseline they say the mean absolute errors; those of several outputs differ,
        and are in the titles.
        """
        name = "forecast" if self.n_history else "predicted"
        if self.baseline is None:
            return name, "", ""
        errors = np.abs([self.true - self.pred, self.true - self.baseline])
        known = np.isfinite(errors).all(axis=0)
        if not known.any():
            return name, self.baseline_name, ""
        own, other = (f"{error:.3g}" for error in errors[:, known].mean(axis=1))
        if self.n_outputs > 1:
            title = f"MAE {own}; {self.baseline_name}: {other}"
            return name, self.baseline_name, title
        return f"{name} (MAE {own})", f"{self.baseline_name} (MAE {other})", ""


def mark_warm_up(
    axes: "Axes",
    x: NDArray,
    warm_up: NDArray[np.bool_] | None,
    warm_up_kwargs: Style | None,
) -> list["Rectangle"]:
    """Shade the warm-up rows, from half a step before each to half a step after."""
    if warm_up is None:
        return []
    style: Style = {
        "label": "warm-up: incomplete window",
        "facecolor": text_color(),
        "alpha": 0.12,
        "linewidth": 0,
        "zorder": 0,
    }
    steps = np.sort(np.abs(np.diff(x)))  # times have no median
    half = steps[len(steps) // 2] / 2 if len(steps) else (x - x)[0] / 2
    spans = []
    for first, last in runs(warm_up):
        limits = x[first] - half, x[last] + half
        spans.append(axes.axvspan(*limits, **merged_style(style, warm_up_kwargs)))
        style.pop("label", None)  # one entry in the legend
    return spans
