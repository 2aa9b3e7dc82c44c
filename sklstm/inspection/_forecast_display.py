"""ForecastDisplay: history, true and predicted values over time, with bands."""

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklstm._pipelines import prediction_horizon, resolve_regressor
from sklstm._sklearn_compat import check_matplotlib_support
from sklstm._training._inputs import check_windows
from sklstm._types import Keywords, Passed, Target
from sklstm.forecasting._baselines import Baseline
from sklstm.forecasting._quantiles import fitted_quantiles, predict_quantiles
from sklstm.forecasting._recursive import forecast
from sklstm.forecasting._series import series_of
from sklstm.inspection._axes import (
    Style,
    add_legend,
    label_positions,
    make_axes,
    row_positions,
)
from sklstm.inspection._bands import read_intervals, split_bounds, split_levels
from sklstm.inspection._forecast_lines import OutputLines, columns_of, mark_warm_up
from sklstm.inspection._forecast_rows import (
    ForecastRows,
    align_rows,
    baseline_values,
    check_draws_one_series,
    of_one_series,
    with_labels_of,
    without_level,
    without_row_numbers,
)
from sklstm.windows._labels import table_index

if TYPE_CHECKING:
    from matplotlib.collections import FillBetweenPolyCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    from sklstm.inspection._axes import AxesLike


class ForecastDisplay:
    """Forecast of a series: true and predicted values over time.

    Create one with :meth:`from_estimator` or :meth:`from_predictions`. The forecast joins
    the values known before it, its history; bands show its intervals, and on request a
    baseline shows what repeating the last values would have given. Several outputs are
    drawn below each other. Warm-up rows, which are predicted from an incomplete window, are
    shaded.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        True values, those of the history first; NaN if unknown.

    y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Predicted values, in the same units; NaN in the history.

    positions : ndarray of shape (n_samples,), default=None
        Positions of the rows on the time axis; row numbers by default.

    warm_up : ndarray of bool of shape (n_samples,), default=None
        Rows predicted from an incomplete window; none by default.

    n_history : int, default=0
        First rows, which were known before the forecast.

    intervals : dict of str to ndarray, default=None
        Lower and upper bounds by the names of bands, the widest first, each of shape
        (n_samples, 2) or (n_samples, n_outputs, 2).

    y_baseline : ndarray of shape (n_samples,) or (n_samples, n_outputs), default=None
        What the baseline gives, NaN where it gives nothing.

    baseline_name : str, default="baseline"
        Name of the baseline in the legend.

    output_names : list of str, default=None
        Names of the outputs, used as labels of the vertical axes.

    xlabel : str, default="row"
        Name of the time axis.

    Attributes
    ----------
    true_lines_, pred_lines_ : list of matplotlib Line2D
        Lines of the true and of the predicted values, one for each output. After a history
        the line of predictions begins with the last known value.

    bands_ : list of list of matplotlib FillBetweenPolyCollection
        Bands of each output; an empty list if there are no intervals.

    baseline_lines_ : list of matplotlib Line2D
        Lines of the baseline; empty if there is none.

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
    forecast : The forecast that goes beyond the data.
    skill_score : The errors of forecasts against those of a baseline, as a number.
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
    >>> display.ax_.set_title("A sine, one step ahead")
    Text(...)

    The next 12 steps after the series, beside its last value:

    >>> display = ForecastDisplay.from_estimator(
    ...     model, series[:, None], series, steps=12, baseline="last"
    ... )
    >>> len(display.pred_lines_[0].get_ydata())  # the last known value, and 12 predictions
    13
    """

    def __init__(
        self,
        y_true: NDArray,
        y_pred: NDArray,
        *,
        positions: NDArray | None = None,
        warm_up: NDArray[np.bool_] | None = None,
        n_history: int = 0,
        intervals: dict[str, NDArray] | None = None,
        y_baseline: NDArray | None = None,
        baseline_name: str = "baseline",
        output_names: list[str] | None = None,
        xlabel: str = "row",
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.positions = positions
        self.warm_up = warm_up
        self.n_history = n_history
        self.intervals = intervals
        self.y_baseline = y_baseline
        self.baseline_name = baseline_name
        self.output_names = output_names
        self.xlabel = xlabel

    def plot(
        self,
        ax: "AxesLike | None" = None,
        *,
        true_kwargs: Style | None = None,
        pred_kwargs: Style | None = None,
        interval_kwargs: Style | None = None,
        baseline_kwargs: Style | None = None,
        warm_up_kwargs: Style | None = None,
    ) -> Self:
        """Draw the true and the predicted values.

        Parameters
        ----------
        ax : matplotlib Axes or array of n_outputs of them, default=None
            Axes to draw on; a new figure by default.

        true_kwargs, pred_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the true and the predicted values.

        interval_kwargs : dict, default=None
            Keywords for matplotlib's ``fill_between`` of the bands.

        baseline_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the baseline.

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
        n_outputs = columns_of(self.y_true).shape[1]
        caller = f"{type(self).__name__}.plot"
        self.axes_ = make_axes(ax, n_outputs, caller=caller, height=1.7)
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.true_lines_: list[Line2D] = []
        self.pred_lines_: list[Line2D] = []
        self.baseline_lines_: list[Line2D] = []
        self.bands_: list[list[FillBetweenPolyCollection]] = []
        self.warm_up_spans_: list[list[Rectangle]] = []
        for output, axes in enumerate(self.axes_):
            lines = OutputLines.of(self, output)
            true, pred, baseline = lines.draw(
                axes, true_kwargs, pred_kwargs, baseline_kwargs
            )
            self.true_lines_.append(true)
            self.pred_lines_.append(pred)
            self.baseline_lines_ += baseline
            self.bands_.append(lines.draw_bands(axes, interval_kwargs))
            self.warm_up_spans_.append(
                mark_warm_up(axes, lines.x, self.warm_up, warm_up_kwargs)
            )
            label_positions(axes, lines.x)
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
        steps: int | None = None,
        target: Target = None,
        X_future: ArrayLike | None = None,
        baseline: Baseline | None = None,
        n_history: int | None = None,
        ax: "AxesLike | None" = None,
        true_kwargs: Style | None = None,
        pred_kwargs: Style | None = None,
        interval_kwargs: Style | None = None,
        baseline_kwargs: Style | None = None,
        warm_up_kwargs: Style | None = None,
    ) -> Self:
        """Predict, and draw the predictions with the true values.

        The levels of a model with ``loss="quantile"`` are drawn as bands around its median:
        the outermost pair is the widest band.

        Parameters
        ----------
        estimator : estimator instance
            A fitted :class:`LSTMRegressor`, a :class:`~sklearn.pipeline.Pipeline` that
            ends in one, or a fitted search over either. For any other regressor use
            :meth:`from_predictions`. With `steps`, whatever :func:`forecast` takes.

        X : array-like
            What ``estimator.predict`` takes.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values. A pandas object also gives the names of the outputs and the times
            of the rows; if `y` is an array, the times are taken from `X`.

        steps : int, default=None
            Draw the forecast of so many steps after the last row, with the rows before as
            its history. By default each row is predicted, from the true rows before it.

        target, X_future : default=None
            As in :func:`forecast`, with `steps`.

        baseline : "last" or int, default=None
            Draw what repeating the last value would give, or the last season, of so many
            steps. Where true values are known, the legend has the mean absolute errors.

        n_history : int, default=None
            Rows of history to draw; by default 60, or 4 for each step ahead if those are
            more.

        ax : matplotlib Axes or array of n_outputs of them, default=None
            Axes to draw on; a new figure by default.

        true_kwargs, pred_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the true and the predicted values.

        interval_kwargs : dict, default=None
            Keywords for matplotlib's ``fill_between`` of the bands.

        baseline_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the baseline.

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
            not that of the predictions; with `steps`, if `X` holds several series, and as
            in :func:`forecast`; if there is less history than the baseline repeats.

        NotFittedError
            If `estimator` is not fitted.

        ImportError
            If matplotlib is not installed.

        Warns
        -----
        UserWarning
            If `X` holds several series, whose rows are drawn on one axis.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        index, warm_up, horizon = None, None, 1
        interval: dict[str, NDArray] | None = None
        if steps is not None:
            series = series_of(estimator, X)
            if series is not None:
                check_draws_one_series(len(series.panel.counts), beyond=True)
            ahead: Keywords = {"steps": steps, "target": target, "X_future": X_future}
            quantiles = fitted_quantiles(estimator)
            y_pred = forecast(estimator, X, **ahead, quantiles=bool(quantiles))
            y_pred = of_one_series(y_pred, series)
            if quantiles:
                y_pred, interval = split_levels(y_pred, quantiles)
            y_pred = without_row_numbers(y_pred)
            history = without_level(with_labels_of(X, y), series)
            rows = align_rows(None, y_pred, history=history, index=None)
        else:
            if target is not None or X_future is not None:
                raise ValueError(
                    "target and X_future belong to a forecast beyond the last row: pass "
                    "steps too."
                )
            regressor, windows = resolve_regressor(estimator, X)
            quantiles = fitted_quantiles(regressor)
            if quantiles:
                levels = predict_quantiles(regressor, windows)
                y_pred, interval = split_levels(levels, quantiles)
            else:
                y_pred = regressor.predict(windows)
            checked, _ = check_windows(
                regressor, windows, like=regressor._fitted().shape.inputs
            )
            check_draws_one_series(len(np.unique(checked.series)), beyond=False)
            warm_up = checked.n_known < regressor.window_shape_[0]
            index = table_index(X) if table_index(y) is None else None
            horizon = prediction_horizon(estimator)
            rows = align_rows(y, y_pred, history=None, index=index)
        display = cls._of_rows(
            rows,
            interval,
            y_pred,
            baseline=baseline,
            n_history=n_history,
            warm_up=warm_up,
            horizon=horizon,
        )
        return display.plot(
            ax=ax,
            true_kwargs=true_kwargs,
            pred_kwargs=pred_kwargs,
            interval_kwargs=interval_kwargs,
            baseline_kwargs=baseline_kwargs,
            warm_up_kwargs=warm_up_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        history: ArrayLike | None = None,
        interval: ArrayLike | None = None,
        baseline: Baseline | None = None,
        n_history: int | None = None,
        index: ArrayLike | None = None,
        warm_up: ArrayLike | None = None,
        ax: "AxesLike | None" = None,
        true_kwargs: Style | None = None,
        pred_kwargs: Style | None = None,
        interval_kwargs: Style | None = None,
        baseline_kwargs: Style | None = None,
        warm_up_kwargs: Style | None = None,
    ) -> Self:
        """Draw predictions with the true values.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
            True values; NaN if unknown. A pandas object also gives the names of the
            outputs. If its labels are not those of `y_pred`, rows are matched by label, and
            those before all of `y_pred` are its history. None if nothing came true yet and
            `history` is given.

        y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Predictions of any regressor, or a :func:`forecast`, also one with bounds.

        history : array-like of shape (n_known,) or (n_known, n_outputs), default=None
            Values that were known when the forecast was made, right before it. Needed for
            arrays only.

        interval : DataFrame or array-like, default=None
            Bounds around `y_pred`: the table of :func:`conformal_interval`, for one or
            several coverages; a table whose columns are quantiles; or an array of shape
            (n_samples, 2) or (n_samples, n_outputs, 2). Further columns of an array are
            further bounds, from the lowest to the highest; one in the middle is left out.

        baseline : "last" or int, default=None
            Draw what repeating the last value would give, or the last season, of so many
            steps: after a history from its end, else one step ahead in each row. Where true
            values are known, the legend has the mean absolute errors.

        n_history : int, default=None
            Rows of history to draw; by default 60, or 4 for each step ahead if those are
            more.

        index : array-like of shape (n_samples,), default=None
            Times or numbers of the rows, those of `history` first. By default the index of
            `y_true` if it is a pandas object, else row numbers.

        warm_up : array-like of bool of shape (n_samples,), default=None
            Rows to shade as predicted from an incomplete window; none by default.

        ax : matplotlib Axes or array of n_outputs of them, default=None
            Axes to draw on; a new figure by default.

        true_kwargs, pred_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the true and the predicted values.

        interval_kwargs : dict, default=None
            Keywords for matplotlib's ``fill_between`` of the bands.

        baseline_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the baseline.

        warm_up_kwargs : dict, default=None
            Keywords for matplotlib's ``axvspan`` over the warm-up rows.

        Returns
        -------
        display : ForecastDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the shapes differ; if labels are of two kinds, or repeat; if `interval` has
            other labels or no bounds; if there is less history than the baseline repeats.

        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        y_pred, interval = split_bounds(y_pred, interval)
        rows = align_rows(y_true, y_pred, history=history, index=index)
        if warm_up is not None:
            warm_up = np.asarray(warm_up, dtype=bool)
            if warm_up.shape != (len(rows.true),):
                raise ValueError(
                    f"warm_up should be of shape {(len(rows.true),)}, one value for each "
                    f"row, got {warm_up.shape}."
                )
        display = cls._of_rows(
            rows, interval, y_pred, baseline=baseline, n_history=n_history, warm_up=warm_up
        )
        return display.plot(
            ax=ax,
            true_kwargs=true_kwargs,
            pred_kwargs=pred_kwargs,
            interval_kwargs=interval_kwargs,
            baseline_kwargs=baseline_kwargs,
            warm_up_kwargs=warm_up_kwargs,
        )

    @classmethod
    def _of_rows(
        cls,
        rows: ForecastRows,
        interval: Passed,
        y_pred: ArrayLike,
        *,
        baseline: Baseline | None,
        n_history: int | None,
        warm_up: NDArray[np.bool_] | None,
        horizon: int = 1,
    ) -> Self:
        """Return a display of rows, of whose history the last are shown."""
        bands = read_intervals(interval, y_pred, rows)
        name, values = "baseline", None
        if baseline is not None:
            name, values = baseline_values(baseline, rows, horizon=horizon)
        shown = rows.last(n_history)
        last = slice(len(rows.true) - len(shown.true), None)
        positions, xlabel = row_positions(shown.labels, len(shown.true))
        if shown.labels is None:
            positions = positions + last.start

        def in_shape(array: NDArray) -> NDArray:
            return array[last, 0] if np.ndim(y_pred) == 1 else array[last]

        return cls(
            in_shape(rows.true),
            in_shape(rows.pred),
            positions=positions,
            warm_up=None if warm_up is None else warm_up[last],
            n_history=shown.n_history,
            intervals={key: in_shape(bounds) for key, bounds in bands.items()} or None,
            y_baseline=None if values is None else in_shape(values),
            baseline_name=name,
            output_names=shown.names,
            xlabel=xlabel,
        )
