"""make_forecast_scorer: the error of forecasts of several steps, for searches."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklstm._pipelines import resolve_windows
from sklstm._sklearn_compat import validate_params
from sklstm._types import Keywords, Target
from sklstm.forecasting._backtest import POSITIVE
from sklstm.forecasting._columns import check_columns, check_table, column_names
from sklstm.forecasting._folds import true_values
from sklstm.forecasting._origins import continues_fitted_rows, forecasts_from
from sklstm.forecasting._quantiles import Predictor


@validate_params(
    {
        "score_func": [callable],
        "steps": [POSITIVE],
        "greater_is_better": ["boolean"],
        "every": [POSITIVE, None],
    },
    prefer_skip_nested_validation=True,
)
def make_forecast_scorer(
    score_func: Callable[..., float],
    *,
    steps: int,
    greater_is_better: bool = False,
    every: int | None = None,
    target: Target = None,
    **kwargs: object,
) -> Callable[..., float]:
    """Make a scorer of forecasts of several steps, for searches and cross-validation.

    The scorer forecasts `steps` values from each origin in the test rows, as
    :func:`backtest` does, and compares all of them with the true ones. A search then
    chooses what is best `steps` steps ahead, not one step ahead.

    Parameters
    ----------
    score_func : callable
        Score or loss ``score_func(y_true, y_pred, **kwargs)``, such as
        :func:`~sklearn.metrics.mean_absolute_error`. The predictions of all origins and
        steps are passed at once: 1-D, or with one column for each of several targets.

    steps : int
        Steps to forecast from each origin. There have to be at least as many test rows.

    greater_is_better : bool, default=False
        Whether a higher value is better. Losses change their sign, since searches maximise.

    every : int, default=None
        Distance between origins; by default `steps`. Smaller distances average over more
        forecasts and take longer.

    target : str, int or list of these, default=None
        Columns of `X` that hold the target, as in :func:`forecast`.

    **kwargs : additional arguments
        Further arguments of `score_func`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` gives a float. It can be pickled if `score_func` can.

    Raises
    ------
    ValueError
        From the scorer: if there are fewer test rows than `steps`, if `groups` tells
        several series apart (use :func:`backtest`), or if the columns of the target do not
        hold `y`; and as in :func:`forecast`.

    See Also
    --------
    backtest : The forecasts themselves, in a table.
    sklearn.metrics.make_scorer : Scores of one-step predictions.

    Notes
    -----
    The first origin is the last row before the test rows if these follow the fitted ones,
    whose last rows the model remembers. Scored on the fitted rows themselves, it is the
    first row that has enough rows before it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import mean_absolute_error
    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, WindowTransformer, make_forecast_scorer
    >>> y = np.sin(0.3 * np.arange(90))
    >>> model = make_pipeline(
    ...     WindowTransformer(), LSTMRegressor(units=8, epochs=5, random_state=0)
    ... )
    >>> search = GridSearchCV(
    ...     model,
    ...     {"windowtransformer__seq_length": [3, 10]},
    ...     cv=TimeSeriesSplit(n_splits=2, test_size=12),
    ...     scoring=make_forecast_scorer(mean_absolute_error, steps=12),
    ... )
    >>> search.fit(y[:, None], y).best_params_
    {'windowtransformer__seq_length': ...}
    """
    return _ForecastScorer(
        score_func,
        steps=int(steps),
        sign=1 if greater_is_better else -1,
        every=int(every or steps),
        target=target,
        kwargs=kwargs,
    )


@dataclass(frozen=True)
class _ForecastScorer:
    """A callable with the signature of scikit-learn's scorers."""

    score_func: Callable[..., float]
    steps: int
    sign: int
    every: int
    target: Target = None
    kwargs: Keywords = field(default_factory=dict)

    def __call__(self, estimator: BaseEstimator, X: ArrayLike, y: ArrayLike) -> float:
        """Return the score of forecasts from all origins in these rows."""
        windows = resolve_windows(estimator)
        if windows.groups is not None:
            raise ValueError(
                "make_forecast_scorer scores forecasts of one series, but the model has "
                f"groups={windows.groups!r}. Call backtest(model, X, y, cv=..., "
                f"steps={self.steps}) for each candidate, and compare the errors in its "
                "table."
            )
        table, _ = check_table(X, "X")
        columns = check_columns(column_names(table), self.target)
        y_true = true_values(table, y, columns, horizon=windows.horizon)
        follows = continues_fitted_rows(estimator, windows, table)
        first = -1 if follows else windows.reach - 1
        origins = np.arange(first, len(table) - self.steps, self.every)
        if not len(origins):
            needed = self.steps + first + 1
            raise ValueError(
                f"There are {len(table)} rows to score; a forecast of steps={self.steps} "
                f"needs at least {needed}. Lower steps, or raise test_size of the splitter."
            )
        (y_pred,) = forecasts_from(
            Predictor(estimator), windows, table, columns, origins, steps=self.steps
        )
        rows = origins[:, np.newaxis] + 1 + np.arange(self.steps)
        shape = (-1,) if y_pred.shape[2] == 1 else (-1, y_pred.shape[2])
        score = self.score_func(
            y_true[rows].reshape(shape), y_pred.reshape(shape), **self.kwargs
        )
        return self.sign * float(score)
