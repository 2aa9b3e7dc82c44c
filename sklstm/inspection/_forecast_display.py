"""ForecastDisplay: true and predicted values over time."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from sklstm._pipelines import resolve_regressor
from sklstm._sklearn_compat import check_matplotlib_support
from sklstm._training._checks import check_windows
from sklstm.inspection._axes import (
    FEW_POINTS,
    Style,
    add_legend,
    label_positions,
    make_axes,
    merged_style,
    row_positions,
    runs,
)
from sklstm.windows._labels import table_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    from sklstm.inspection._axes import AxesLike


class ForecastDisplay:
    """Forecast of a series: true and predicted values over time.

    Create one with :meth:`from_estimator` or :meth:`from_predictions`. Several outputs are
    drawn below each other. Warm-up rows, which are predicted from an incomplete window, are
    shaded.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        True values; NaN if unknown.

    y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Predicted values, in the same units.

    positions : ndarray of shape (n_samples,), default=None
        Positions of the rows on the time axis; row numbers by default.

    warm_up : ndarray of bool of shape (n_samples,), default=None
        Rows predicted from an incomplete window; none by default.

    output_names : list of str, default=None
        Names of the outputs, used as labels of the vertical axes.

    xlabel : str, default="row"
        Name of the time axis.

    Attributes
    ----------
    true_lines_, pred_lines_ : list of matplotlib Line2D
        Lines of the true and of the predicted values, one for each output.

    warm_up_spans_ : list of list of matplotlib Rectangle
        Shaded warm-up rows of each output; an empty list if there are none.

    axes_ : ndarray of shape (n_outputs,)
        Axes of each output.

    ax_ : matplotlib Axes
        The first of these Axes.

    figure_ : matplotlib Figure
        Figure of the Axes.

    See Also
    --------
    HistoryDisplay : Plot of the loss in each epoch of training.
    GateDisplay : Plot of the gates over the series.
    sklearn.metrics.PredictionErrorDisplay : Plot of errors by predicted value.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import ForecastDisplay, LSTMRegressor, WindowTransformer
    >>> series = np.sin(0.3 * np.arange(80))
    >>> model = make_pipeline(
    ...     WindowTransformer(seq_length=8),
    ...     LSTMRegressor(units=8, epochs=5, random_state=0),
    ... )

    An estimator has to be fitted first:

    >>> ForecastDisplay.from_estimator(model, series[60:, None], series[60:])
    Traceback (most recent call last):
    ...
    sklearn.exceptions.NotFittedError: This LSTMRegressor instance is not fitted yet...
    >>> model.fit(series[:60, None], series[:60])
    Pipeline(...)
    >>> display = ForecastDisplay.from_estimator(model, series[60:, None], series[60:])
    >>> display.ax_.set_title("A sine")
    Text(...)
    """

    def __init__(
        self,
        y_true: NDArray,
        y_pred: NDArray,
        *,
        positions: NDArray | None = None,
        warm_up: NDArray[np.bool_] | None = None,
        output_names: list[str] | None = None,
        xlabel: str = "row",
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.positions = positions
        self.warm_up = warm_up
        self.output_names = output_names
        self.xlabel = xlabel

    def plot(
        self,
        ax: "AxesLike | None" = None,
        *,
        true_kwargs: Style | None = None,
        pred_kwargs: Style | None = None,
        warm_up_kwargs: Style | None = None,
    ) -> Self:
        """Draw the true and the predicted values.

        Parameters
        ----------
        ax : matplotlib Axes or array of n_outputs of them, default=None
            Axes to draw on; a new figure by default.

        true_kwargs, pred_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the true and the predicted values.

        warm_up_kwargs : dict, default=None
            Keywords for matplotlib's ``axvspan`` over the warm-up rows.

        Returns
        -------
        display : ForecastDisplay
            The display, with what was drawn as attributes.

        Raises
        ------
        ValueError
            If the number of Axes in `ax` is not the number of outputs.

        ImportError
            If matplotlib is not installed.
        """
        y_true, y_pred = (y.reshape(len(y), -1) for y in (self.y_true, self.y_pred))
        n_samples, n_outputs = y_true.shape
        caller = f"{type(self).__name__}.plot"
        self.axes_ = make_axes(ax, n_outputs, caller=caller, height=1.7)
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        x = np.arange(n_samples) if self.positions is None else self.positions
        is_short = n_samples <= FEW_POINTS
        true_style = {
            "label": "true",
            "color": "black",
            "linewidth": 1.0,
            "marker": "o" if is_short else "",
            "markersize": 3,
        }
        pred_style = {
            "label": "predicted",
            "color": "C1",
            "linewidth": 1.8,
            "linestyle": (0, (3, 1)) if is_short else "-",
            "marker": "s" if is_short else "",
            "markersize": 3,
        }
        true_style, pred_style = (
            merged_style(true_style, true_kwargs),
            merged_style(pred_style, pred_kwargs),
        )
        self.true_lines_: list[Line2D] = []
        self.pred_lines_: list[Line2D] = []
        self.warm_up_spans_: list[list[Rectangle]] = []
        for output, axes in enumerate(self.axes_):
            self.true_lines_ += axes.plot(x, y_true[:, output], **true_style)
            self.pred_lines_ += axes.plot(x, y_pred[:, output], **pred_style)
            self.warm_up_spans_.append(self._mark_warm_up(axes, x, warm_up_kwargs))
            label_positions(axes, x)
            if self.output_names is not None:
                axes.set_ylabel(self.output_names[output])
        self.axes_[-1].set_xlabel(self.xlabel)
        add_legend(self.ax_, is_own_figure=ax is None)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        ax: "AxesLike | None" = None,
        true_kwargs: Style | None = None,
        pred_kwargs: Style | None = None,
        warm_up_kwargs: Style | None = None,
    ) -> Self:
        """Predict, and draw the predictions with the true values.

        Parameters
        ----------
        estimator : estimator instance
            A fitted :class:`LSTMRegressor`, a :class:`~sklearn.pipeline.Pipeline` that
            ends in one, or a fitted search over either. For any other regressor use
            :meth:`from_predictions`.

        X : array-like
            What ``estimator.predict`` takes.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values. A pandas object also gives the names of the outputs and the times
            of the rows; if `y` is an array, the times are taken from `X`.

        ax : matplotlib Axes or array of n_outputs of them, default=None
            Axes to draw on; a new figure by default.

        true_kwargs, pred_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the true and the predicted values.

        warm_up_kwargs : dict, default=None
            Keywords for matplotlib's ``axvspan`` over the warm-up rows.

        Returns
        -------
        display : ForecastDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `estimator` does not end in an :class:`LSTMRegressor`, or the shape of `y` is
            not that of the predictions.

        NotFittedError
            If `estimator` is not fitted.

        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        regressor, windows = resolve_regressor(estimator, X)
        y_pred = regressor.predict(windows)
        _, n_known, _ = check_windows(
            regressor, windows, like=regressor._fitted().shape.inputs
        )
        return cls.from_predictions(
            y,
            y_pred,
            index=table_index(X) if table_index(y) is None else None,
            warm_up=n_known < regressor.window_shape_[0],
            ax=ax,
            true_kwargs=true_kwargs,
            pred_kwargs=pred_kwargs,
            warm_up_kwargs=warm_up_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        index: Any = None,
        warm_up: ArrayLike | None = None,
        ax: "AxesLike | None" = None,
        true_kwargs: Style | None = None,
        pred_kwargs: Style | None = None,
        warm_up_kwargs: Style | None = None,
    ) -> Self:
        """Draw predictions with the true values.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values; NaN if unknown. A pandas object also gives the names of the
            outputs.

        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Predictions of any regressor.

        index : array-like of shape (n_samples,), default=None
            Times or numbers of the rows. By default the index of `y_true` if it is a pandas
            object, else row numbers.

        warm_up : array-like of bool of shape (n_samples,), default=None
            Rows to shade as predicted from an incomplete window; none by default.

        ax : matplotlib Axes or array of n_outputs of them, default=None
            Axes to draw on; a new figure by default.

        true_kwargs, pred_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the true and the predicted values.

        warm_up_kwargs : dict, default=None
            Keywords for matplotlib's ``axvspan`` over the warm-up rows.

        Returns
        -------
        display : ForecastDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the shapes differ.

        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        labels = table_index(y_true) if index is None else pd.Index(index)
        names = _output_names(y_true)
        true, pred = _check_values(y_true, "y_true"), _check_values(y_pred, "y_pred")
        _check_same_shape(true.shape, y_pred=pred.shape)
        if labels is not None:
            _check_same_shape(true.shape[:1], index=labels.shape)
        if warm_up is not None:
            warm_up = np.asarray(warm_up, dtype=bool)
            _check_same_shape(true.shape[:1], warm_up=warm_up.shape)
        positions, xlabel = row_positions(labels, len(true))
        display = cls(
            true,
            pred,
            positions=positions,
            warm_up=warm_up,
            output_names=names,
            xlabel=xlabel,
        )
        return display.plot(
            ax=ax,
            true_kwargs=true_kwargs,
            pred_kwargs=pred_kwargs,
            warm_up_kwargs=warm_up_kwargs,
        )

    def _mark_warm_up(
        self, axes: "Axes", x: NDArray, warm_up_kwargs: Style | None
    ) -> list["Rectangle"]:
        """Shade the warm-up rows, from half a step before each to half a step after."""
        if self.warm_up is None:
            return []
        style = {"label": "warm-up: incomplete window", "facecolor": "0.88", "zorder": 0}
        steps = np.sort(np.abs(np.diff(x)))  # times have no median
        half = steps[len(steps) // 2] / 2 if len(steps) else (x - x)[0] / 2
        spans = []
        for first, last in runs(self.warm_up):
            limits = x[first] - half, x[last] + half
            spans.append(axes.axvspan(*limits, **merged_style(style, warm_up_kwargs)))
            style.pop("label", None)  # one entry in the legend
        return spans


def _check_values(y: ArrayLike, name: str) -> NDArray[np.float64]:
    return check_array(
        y,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite="allow-nan",
        input_name=name,
    )


def _check_same_shape(expected: tuple[int, ...], **shapes: tuple[int, ...]) -> None:
    for name, shape in shapes.items():
        if shape != expected:
            raise ValueError(
                f"{name} should be of shape {expected}, like y_true, got {shape}."
            )


def _output_names(y: Any) -> list[str] | None:
    if isinstance(y, pd.DataFrame):
        return [str(name) for name in y.columns]
    if isinstance(y, pd.Series):
        return None if y.name is None else [str(y.name)]
    shape = np.shape(y)
    return [f"y {output}" for output in range(shape[1])] if len(shape) == 2 else ["y"]
