"""skill_score: how much smaller the errors of forecasts are than those of a baseline."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import mean_absolute_error
from sklearn.utils import check_array

from sklstm._arrays import reading
from sklstm._sklearn_compat import validate_params
from sklstm.windows._checks import check_same_order

Metric = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like", None],
        "y_baseline": ["array-like", None],
        "by": [str, list, None],
        "metric": [callable, None],
    },
    prefer_skip_nested_validation=True,
)
def skill_score(
    y_true: ArrayLike,
    y_pred: ArrayLike | None = None,
    y_baseline: ArrayLike | None = None,
    *,
    by: str | list[str] | None = None,
    metric: Metric | None = None,
) -> float | pd.Series | pd.DataFrame:
    """Skill of a forecast: one minus the ratio of its error to that of a baseline.

    ``1 - metric(y_true, y_pred) / metric(y_true, y_baseline)`` [1]_. A forecast without
    errors has a skill of 1, and one that is no better than the baseline, such as repeating
    the last value, of 0. Below 0 the baseline is better.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs), or DataFrame
        True values; or the table of a :func:`backtest` with a `baseline`, which holds all
        that is needed.

    y_pred : array-like of the same shape, default=None
        Predictions; None with a table.

    y_baseline : array-like of the same shape, default=None
        What the baseline would have predicted; None with a table.

    by : str or list of str, default=None
        With a table: columns whose values are scored separately, such as ``"step"``.
        Several targets always are.

    metric : callable, default=None
        Error ``metric(y_true, y_pred)``, 0 where the two are equal; by default
        :func:`~sklearn.metrics.mean_absolute_error`. With
        :func:`~sklearn.metrics.mean_squared_error` it is Murphy's skill score.

    Returns
    -------
    skill : float, Series or DataFrame
        At most 1. For a table, a column for each of its baselines, and a row for each value
        of `by`; a Series of the baselines without `by` if there is one target. If the
        baseline has no error, 0 if the forecast has none either, else ``-inf``.

    Raises
    ------
    TypeError
        If values are times.

    ValueError
        If the shapes differ, if no row is known in full, or if the table has no baseline or
        lacks a column.

    See Also
    --------
    backtest : Makes the table, with the baselines that it is asked for.
    ForecastDisplay : Draws a baseline beside a forecast.
    sklearn.metrics.r2_score : The same with squares and the mean of `y_true` as baseline,
        which a forecaster does not know.

    Notes
    -----
    Rows with NaN are left out, for the forecast and the baseline alike, so that both are
    scored on the same rows. With the mean absolute error, one minus the skill is the
    relative mean absolute error; the mean absolute scaled error of [2]_ divides by the
    error of the baseline on the training rows.

    References
    ----------
    .. [1] Murphy, "Skill scores based on the mean square error and their relationships to
       the correlation coefficient", Monthly Weather Review 116, 1988.

    .. [2] Hyndman & Koehler, "Another look at measures of forecast accuracy", International
       Journal of Forecasting 22, 2006.

    Examples
    --------
    >>> from sklstm import skill_score
    >>> y_true, y_pred, last = [2.0, 4.0, 5.0], [2.0, 3.0, 5.0], [1.0, 2.0, 4.0]
    >>> skill_score(y_true, y_pred, last)  # errors of 1 / 3 and of 4 / 3
    0.75

    All at once, for the forecasts of a backtest:

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.impute import SimpleImputer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import WindowTransformer, backtest
    >>> y = np.sin(0.3 * np.arange(120))
    >>> windows = WindowTransformer(seq_length=2, flatten=True)
    >>> model = make_pipeline(windows, SimpleImputer(), LinearRegression())
    >>> errors = backtest(model, y[:, None], y, cv=3, steps=2, baseline=["last", 21])
    >>> skill_score(errors, by="step").round(1)
          y_last  y_last_21
    step
    1        1.0        0.2
    2        0.9       -1.4
    """
    metric = metric or mean_absolute_error
    if isinstance(y_true, pd.DataFrame) and y_pred is None:
        if y_baseline is not None:
            raise ValueError(
                "y_baseline is given without y_pred. Pass all three arrays, or only the "
                "table of backtest, which holds its own baselines."
            )
        return _skill_of_table(y_true, by, metric)
    if y_pred is None or y_baseline is None:
        missing = "y_pred" if y_pred is None else "y_baseline"
        raise ValueError(
            f"{missing} is missing. Pass y_true, y_pred and y_baseline, or only the table "
            "of backtest(..., baseline='last')."
        )
    if by is not None:
        raise ValueError(
            f"by={by!r} names columns of the table of backtest, but arrays were passed."
        )
    arrays = {"y_true": y_true, "y_pred": y_pred, "y_baseline": y_baseline}
    for name, array in arrays.items():
        check_same_order(y_true, array, name=name, like="y_true")
    values = {name: _values(array, name) for name, array in arrays.items()}
    return _skill(**values, metric=metric)


def _values(y: ArrayLike, name: str) -> NDArray[np.float64]:
    with reading(y, name):
        return check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite="allow-nan",
            input_name=name,
        )


def _skill(
    y_true: NDArray[np.float64],
    y_pred: NDArray[np.float64],
    y_baseline: NDArray[np.float64],
    *,
    metric: Metric,
) -> float:
    for name, values in (("y_pred", y_pred), ("y_baseline", y_baseline)):
        if values.shape != y_true.shape:
            raise ValueError(
                f"{name} has shape {values.shape}; expected {y_true.shape}, like y_true."
            )
    finite = np.isfinite([y_true, y_pred, y_baseline])
    known = finite.reshape(3, len(y_true), -1).all(axis=(0, 2))
    if not known.any():
        raise ValueError(
            "No row has a true value, a prediction and a value of the baseline. A season "
            "that is longer than the rows before the first origin is not known there."
        )
    error = float(metric(y_true[known], y_pred[known]))
    error_of_baseline = float(metric(y_true[known], y_baseline[known]))
    if error_of_baseline == 0:
        return 0.0 if error == 0 else -np.inf
    return 1 - error / error_of_baseline


def _skill_of_table(
    errors: pd.DataFrame, by: str | Sequence[str] | None, metric: Metric
) -> pd.Series | pd.DataFrame:
    baselines = [name for name in errors if str(name).startswith("y_last")]
    if not baselines:
        raise ValueError(
            "The table has no baseline to compare with. Make it by backtest(..., "
            "baseline='last'), or baseline=12 for the values of a season of 12 steps."
        )
    keys = [by] if isinstance(by, str) else list(by or [])
    if "target" in errors and "target" not in keys:
        keys = ["target", *keys]
    missing = [name for name in ("y_true", "y_pred", *keys) if name not in errors]
    if missing:
        raise ValueError(
            f"The table lacks the columns {missing}. Pass the table of backtest; by names "
            "its columns, such as 'step' or 'fold'."
        )

    def skills(rows: pd.DataFrame) -> pd.Series:
        y_true, y_pred = (rows[name].to_numpy(np.float64) for name in ("y_true", "y_pred"))
        return pd.Series(
            {
                name: _skill(y_true, y_pred, rows[name].to_numpy(np.float64), metric=metric)
                for name in baselines
            }
        )

    if not keys:
        return skills(errors)
    values = ["y_true", "y_pred", *baselines]
    return errors.groupby(keys, sort=False, observed=True)[values].apply(skills)
