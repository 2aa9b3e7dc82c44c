"""forecast: predictions beyond the last known row, fed back in where they run out."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklstm._pipelines import ModelWindows, resolve_windows
from sklstm._sklearn_compat import at_least, validate_params
from sklstm._types import Coverage, Target
from sklstm.forecasting._columns import Columns
from sklstm.forecasting._forecast_table import ForecastTable, make_forecast
from sklstm.forecasting._intervals import check_coverage, with_bounds
from sklstm.forecasting._quantiles import Predictor, fitted_quantiles
from sklstm.forecasting._reading import read_rows
from sklstm.forecasting._rows import Rows
from sklstm.forecasting._series_reading import SeriesRows, read_series_rows
from sklstm.windows._requests import LastRows, UnknownPastError, requested_windows


@validate_params(
    {
        "steps": [at_least(1)],
        "quantiles": ["boolean"],
        "errors": [pd.DataFrame, None],
        "coverage": [Real, "array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def forecast(
    model: BaseEstimator,
    X: ArrayLike | None = None,
    *,
    steps: int,
    target: Target = None,
    X_future: ArrayLike | None = None,
    quantiles: bool = False,
    errors: pd.DataFrame | None = None,
    coverage: float | Sequence[float] | None = None,
) -> NDArray | pd.Series | pd.DataFrame:
    """Predict the steps after the last known row, feeding predictions back in.

    The windows of the first ``max(horizon, 1)`` rows ahead hold known steps only, so that
    these rows are predicted in one call of ``model.predict``. Their predictions are written
    into the columns of the target, as if they were true, and the next rows are predicted
    from those. A direct model, whose outputs are consecutive steps (:func:`steps_ahead`),
    gives all of them at once; if more steps are asked for, its predictions are fed back in
    as well.

    Parameters
    ----------
    model : estimator
        Fitted Pipeline with a :class:`WindowTransformer`, with any regressor after it, or a
        search or :class:`~sklearn.compose.TransformedTargetRegressor` around such a
        Pipeline. It is not changed.

    X : array-like of shape (n_known, n_features), default=None
        The last known rows, in the columns that `model` was fitted on. The last
        ``seq_length + horizon - 1`` rows are enough where the steps before the windows act
        row by row; fewer are enough where they follow directly after the fitted rows. None
        continues from the fitted rows themselves; the result has no dates then if a step
        before the windows, such as a scaler, drops the index: pass `X`, or call
        ``set_output(transform="pandas")`` before `fit`. With several series (`groups` of
        the :class:`WindowTransformer`), every series that has rows in `X` is forecast, also
        if it was not fitted.

    steps : int
        Number of steps to predict. Errors add up with each step that is fed back.

    target : str, int or list of these, default=None
        Names or positions of the columns of `X` that hold the target itself, one for each
        output of the model, in its order. By default, the only column. Pass an empty list
        if no column does; nothing is fed back then. With ``horizon >= 1`` these columns
        hold ``y[t]`` in row ``t``; with ``horizon=0``, where a row is in its own window,
        ``y[t - 1]``.

    X_future : array-like of shape (n_ahead, n_features), default=None
        Rows from the first step ahead on, with the columns of `X` that are not targets, in
        any order if it is a table; columns that `X` does not have are ignored. With
        ``horizon=0`` it has the columns of the target too, the first value set to the last
        true one. With ``horizon >= 1`` the last `horizon` rows are not read, and may be
        left out. Its index becomes the index of the forecast, and has to start one step
        after `X`.

    quantiles : bool, default=False
        Whether to return all levels of a model with ``loss="quantile"``. A direct model has
        its own levels for each step. Otherwise the median is fed back, and the levels of
        later steps are too narrow: they allow for the error of one step only.

    errors : DataFrame, default=None
        Table of a :func:`backtest` of the same model, with as many steps. The result is
        then a table of the forecast and the bounds that :func:`conformal_interval` puts
        around it.

    coverage : float or sequence of float, default=None
        Probabilities with which the bounds should hold; 0.9 by default. Only with `errors`.

    Returns
    -------
    y_pred : ndarray, Series or DataFrame of shape (steps,) or (steps, n_targets)
        The predictions. A Series or DataFrame with the labels of the steps ahead if `X` or
        `X_future` is a pandas table, or if the index of the fitted rows reached the
        windows; otherwise an array. The labels continue the frequency of the index or its
        even spacing, by the local clock if there is a time zone; months and business days
        are followed, holidays are not known. With `quantiles` there is one more axis for
        the levels: in a DataFrame, columns that they name, below those of the targets. With
        `errors` always a DataFrame, with the columns `y_pred`, `lower` and `upper`; several
        coverages and several targets are levels of the columns.

        With several series, the forecasts follow one after another, and a level of the
        index or a column names the series, as in `X`. For an array, the shape is (n_series,
        steps) or (n_series, steps, n_targets), with the series in the order of their first
        rows.

    Raises
    ------
    TypeError
        If rows hold times or other objects that are not numbers, or are sparse.

    ValueError
        If rows hold text or complex numbers; if `model` has no :class:`WindowTransformer`;
        if `X` has fewer rows than its windows reach back to and they do not follow the
        fitted ones (with ``context="never"`` they never do), or recent rows are missing
        (with ``missing="cut"`` the forecast is from what is known instead); if `X_future`
        does not start one step after `X`, leaves out steps, lacks columns or has too few
        rows; if the labels that follow cannot be derived from the index; if the numbers of
        outputs and targets differ; if `quantiles` is set, but the model has another loss;
        if `errors` is the table of another model or has too few errors for the coverage,
        with the number of origins that it needs; or if a step of the model before the
        windows cannot read what it gets: without `X` a logarithm cannot read the row ahead,
        whose values are not known.

    See Also
    --------
    backtest : How large the errors of such forecasts were in the past.
    conformal_interval : Bounds around a forecast, from those errors.
    steps_ahead : Targets of a model that predicts several steps at once.

    Notes
    -----
    If an :class:`LSTMRegressor` comes right after the windows, it predicts only the rows
    ahead. The result is bit-identical to calling ``model.predict`` on all rows with those
    ahead appended; other regressors do predict all rows of `X`, so the same holds for them.
    All series of a table are predicted together, each bit-identical to a forecast of it
    alone.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, WindowTransformer, forecast
    >>> days = pd.date_range("2024-01-01", periods=100)
    >>> X = pd.DataFrame({"level": np.sin(0.3 * np.arange(100))}, index=days)
    >>> model = make_pipeline(
    ...     WindowTransformer(seq_length=8),
    ...     LSTMRegressor(units=16, epochs=40, learning_rate=0.01, random_state=0),
    ... ).fit(X, X["level"])
    >>> y_pred = forecast(model, X, steps=3)
    >>> y_pred.index
    DatetimeIndex(['2024-04-10', '2024-04-11', '2024-04-12'], ...)
    >>> np.allclose(y_pred, np.sin(0.3 * np.arange(100, 103)), atol=0.1)
    True

    Later, the rows since then are enough; they follow the fitted ones:

    >>> rows = pd.DataFrame({"level": y_pred})
    >>> forecast(model, rows, steps=1).index
    DatetimeIndex(['2024-04-13'], ...)

    A window cannot be filled from rows that leave a gap:

    >>> forecast(model, rows.iloc[1:], steps=1)
    Traceback (most recent call last):
    ...
    ValueError: A forecast with seq_length=8 and horizon=1...
    """
    windows = resolve_windows(model)
    predictor = _predictor(model, quantiles, errors, coverage)
    read = read_rows if windows.groups is None else read_series_rows
    found = read(model, windows, X, X_future, target=target, steps=int(steps))
    rows = found.rows if isinstance(found, SeriesRows) else found
    try:
        predictions = recursive_predictions(predictor, windows, rows)
    except UnknownPastError as error:
        raise ValueError(str(error)) from error
    if isinstance(found, SeriesRows):
        return _of_series(predictions, found, predictor, errors, coverage)
    values, *levels = predictions[:, 0]
    if not predictor.quantiles and errors is None:
        return rows.container(values)
    table = make_forecast(
        values,
        levels,
        predictor.quantiles,
        index=rows.labels,
        names=rows.columns.target_names if rows.columns.targets else [],
    )
    if errors is not None:
        return with_bounds(table, errors, 0.9 if coverage is None else coverage)
    return _levels(table, has_labels=rows.labels is not None)


def _of_series(
    predictions: NDArray[np.float64],
    found: SeriesRows,
    predictor: Predictor,
    errors: pd.DataFrame | None,
    coverage: float | Sequence[float] | None,
) -> NDArray | pd.Series | pd.DataFrame:
    """Return the forecasts of all series."""
    if not predictor.quantiles and errors is None:
        return found.container(predictions[0])
    if not found.has_names and errors is None:
        levels = np.moveaxis(predictions[1:], 0, -1)
        return levels[..., 0, :] if levels.shape[2] == 1 else levels
    columns = found.rows.columns
    values, *of_levels = predictions.reshape(len(predictions), -1, predictions.shape[3])
    table = make_forecast(
        values,
        of_levels,
        predictor.quantiles,
        index=found.index(),
        names=columns.target_names if columns.targets else [],
    )
    table = replace(table, keys=found.keys(), key_name=found.known.name)
    if errors is not None:
        bounds = with_bounds(table, errors, 0.9 if coverage is None else coverage)
        return found.with_keys(bounds)
    return found.with_keys(pd.DataFrame(_levels(table, has_labels=True)))


def _predictor(
    model: BaseEstimator,
    quantiles: bool,
    errors: pd.DataFrame | None,
    coverage: Coverage | None,
) -> Predictor:
    """Return what predicts; its levels too, if they or bounds are wanted."""
    if errors is None and coverage is not None:
        raise ValueError(
            f"coverage={coverage!r} is that of bounds, which need the table of a backtest. "
            "Pass it as errors."
        )
    if errors is not None and quantiles:
        raise ValueError(
            "quantiles=True returns the levels as they are, errors the bounds that it "
            "corrects. Pass one of them."
        )
    if errors is not None:
        check_coverage(0.9 if coverage is None else coverage)
    if not quantiles and errors is None:
        return Predictor(model)
    levels = fitted_quantiles(model)
    if quantiles and not levels:
        raise ValueError(
            "quantiles=True needs a model that was fitted with loss='quantile'. Fit such a "
            "one; or pass errors, the table of a backtest, for bounds around the forecast."
        )
    return Predictor(model, levels)


def _levels(forecast: ForecastTable, *, has_labels: bool) -> NDArray | pd.DataFrame:
    """Return all levels (steps, n_levels) or (steps, n_targets, n_levels)."""
    is_one = len(forecast.targets) == 1
    if not has_labels:
        array = np.stack([t.to_numpy() for t in forecast.levels.values()], axis=-1)
        return array[:, 0] if is_one else array
    table = pd.concat(forecast.levels, axis=1).swaplevel(axis=1)
    if is_one:
        return table.droplevel(0, axis=1)
    order = [(name, level) for name in forecast.targets for level in forecast.levels]
    return table[order]


def recursive_predictions(
    predictor: Predictor, windows: ModelWindows, rows: Rows
) -> NDArray[np.float64]:
    """Return predictions (1 + n_levels, n_series, steps, n_values), block by block.

    Each block is predicted from those before, of which only the first predictions are fed
    back, not the levels. A block is as many rows as there are steps between a window and
    its row: their windows hold none of their values. With several outputs each row gives as
    many steps at once.
    """
    blocks, n_done = [], 0
    while n_done < rows.steps:
        n_rows = min(max(windows.horizon, 1), rows.steps - n_done)
        _check_future_is_known(rows, n_done)
        outputs = _predict_last(predictor, windows, rows, n_done, n_rows)
        values = consecutive_steps(outputs, rows.columns)[..., : rows.steps - n_done, :]
        rows.write(n_done, values[0])
        blocks.append(values)
        n_done += values.shape[2]
    return np.concatenate(blocks, axis=2)


def consecutive_steps(outputs: NDArray, columns: Columns) -> NDArray:
    """Return the values of consecutive steps (…, n_steps, n_targets) that outputs hold.

    Of rows of direct models (…, n_rows, n_steps), those that begin where another one ends.
    """
    n_outputs, n_targets = outputs.shape[-1], len(columns.targets)
    if n_targets in (0, n_outputs):
        return outputs
    if n_targets == 1:
        rows = outputs[..., ::n_outputs, :]
        return rows.reshape(*rows.shape[:-2], -1, 1)
    raise ValueError(
        f"The model has {n_outputs} outputs, but target names {n_targets} columns, "
        f"{columns.target_names}. Name one column for each output, in the order of y; or "
        "one alone, if the outputs are consecutive steps."
    )


def _check_future_is_known(rows: Rows, n_done: int) -> None:
    """Check that `X_future` holds the rows that the windows of the next ones read."""
    n_read = n_done if rows.horizon else n_done + 1
    others = [rows.columns.names[j] for j in rows.columns.others]
    if not others or rows.n_future >= n_read:
        return
    if not rows.n_future:
        raise ValueError(
            f"Besides the target, X has the columns {others}, whose values the forecast "
            "reads from its first steps on. Pass those that are known ahead as X_future, "
            "one row for each step. What nobody knows ahead has to be a target as well."
        )
    raise ValueError(
        f"X_future has {rows.n_future} rows, but step {n_done + 1} of the forecast reads "
        f"{n_read} of them ({others}). Pass a row for each step, or lower steps."
    )


def _predict_last(
    predictor: Predictor, windows: ModelWindows, rows: Rows, first: int, n_rows: int
) -> NDArray[np.float64]:
    """Return what is predicted ahead: (1 + n_levels, n_series, n_rows, n_outputs)."""
    table, n_asked = rows.read_by(first, n_rows), n_rows * rows.n_series
    request = LastRows(n_asked, n_series=rows.n_known, only_these=windows.read_directly)
    try:
        # The values of the rows ahead that are not known yet are read by nothing.
        with requested_windows(windows.transformers, request), np.errstate(all="ignore"):
            outputs = predictor.outputs(table)[:, -n_asked:]
    except UnknownPastError:
        raise
    except ValueError as error:
        raise _explained(error, rows, first) from error
    if not np.isfinite(outputs).all():
        raise ValueError(
            f"The prediction of step {first + 1} is not finite. Where predictions that are "
            "fed back in grow without bound, try fewer steps, or residual=True."
        )
    return outputs.reshape(len(outputs), n_rows, rows.n_series, -1).swapaxes(1, 2)


def _explained(error: ValueError, rows: Rows, first: int) -> ValueError:
    if first:
        return ValueError(
            f"Step {first + 1} of the forecast cannot be predicted: {error} Its window "
            "holds the predictions of the steps before it, and X_future, which the model "
            "has to be able to read."
        )
    if not rows.n_known:
        return ValueError(
            "The row after the fitted ones cannot be predicted without X, since a step of "
            f"the model before the windows needs its values: {error} Pass X, at least the "
            "last known rows."
        )
    return error
