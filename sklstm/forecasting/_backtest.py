"""backtest: forecasts from many origins in the past, beside what came true."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.parallel import Parallel, delayed

from sklstm._pipelines import ModelWindows, resolve_windows
from sklstm._sklearn_compat import (
    CallbackContext,
    InvalidParameterError,
    at_least,
    check_method_params,
    safe_indexing,
    validate_params,
)
from sklstm._types import Keywords, Splits, Target
from sklstm.forecasting._baselines import Baseline, check_baselines, repeated_values
from sklstm.forecasting._columns import (
    Columns,
    check_columns,
    check_table,
    column_names,
    columns_of,
    float_array,
    rows_of,
)
from sklstm.forecasting._folds import (
    check_folds,
    check_series_folds,
    check_true_values,
    n_fitted_rows,
    n_seen_rows,
    true_values,
)
from sklstm.forecasting._layout import Layout
from sklstm.forecasting._origins import (
    chosen_predictions,
    forecasts_from,
    one_step_predictions,
)
from sklstm.forecasting._place import columns_of_place
from sklstm.forecasting._progress import Backtest
from sklstm.forecasting._quantiles import Predictor, fitted_quantiles, level_column
from sklstm.windows._checks import check_labels, check_same_order, warn_of_holes
from sklstm.windows._holes import own_holes, own_spacing
from sklstm.windows._requests import UnknownPastError
from sklstm.windows._warnings import warn_caller

POSITIVE = at_least(1)


@validate_params(
    {
        "y": ["array-like"],
        "cv": ["cv_object"],
        "steps": [POSITIVE, None],
        "every": [POSITIVE, None],
        "refit": ["boolean"],
        "baseline": ["array-like", str, Integral, None],
        "n_jobs": [Integral, None],
        "params": [dict, None],
    },
    prefer_skip_nested_validation=False,  # the parameters of the model are not checked yet
)
def backtest(
    model: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    cv: Splits,
    steps: int | None = None,
    every: int | None = None,
    target: Target = None,
    refit: bool = True,
    groups: ArrayLike | None = None,
    params: Keywords | None = None,
    baseline: Baseline | Sequence[Baseline] | None = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Forecast from many origins in the past, and list each beside what came true.

    For each fold, a clone of `model` is fitted on the training rows. From each origin in
    the test rows, `steps` values are predicted as :func:`forecast` would from all rows up
    to there: the known rows grow along the test rows, while the model of the fold stays the
    same.

    Parameters
    ----------
    model : estimator
        Pipeline with a :class:`WindowTransformer`, or a search around one; fitted already
        if `refit` is False. It is not changed.

    X : array-like of shape (n_samples, n_features)
        The series, with one row per step in time order. Columns that are not targets count
        as known ahead.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets that `model` is fitted on: the columns of the target, or the consecutive
        steps of a direct model (:func:`steps_ahead`).

    cv : int, cross-validation generator or iterable of (train, test)
        Folds whose test rows follow after the training rows, such as
        :class:`~sklearn.model_selection.TimeSeriesSplit`; an int is its number of splits.
        With several series, this holds within each of them; splits by series, such as
        :class:`~sklearn.model_selection.GroupKFold`, work too.

    steps : int, default=None
        Steps to forecast from each origin. None predicts each test row from the true steps
        up to `horizon` steps before it, as `predict` does.

    every : int, default=None
        Distance between origins. By default `steps`, so that each test row is forecast
        once; 1 starts a forecast at every row, which gives the most errors.

    target : str, int or list of these, default=None
        Columns of `X` that hold the target, as in :func:`forecast`.

    refit : bool, default=True
        Whether to fit a clone in each fold. False takes `model` as it is.

    groups : array-like of shape (n_samples,), default=None
        Groups for `cv`. By default the series that the `groups` of a
        :class:`WindowTransformer` tells apart.

    params : dict, default=None
        Parameters for `fit`, such as ``{"lstmregressor__sample_weight": weights}``.
        Parameters with one value per row are split like `X`.

    baseline : "last", int or list of these, default=None
        Naive forecasts to list beside those of the model, from the same origins: "last"
        repeats the last value of `y`, and an int repeats its last season of that many
        steps. :func:`skill_score` compares the errors.

    n_jobs : int, default=None
        Number of folds to run at once, as in scikit-learn: None is one, -1 is one per
        processor. ``joblib.parallel_config(verbose=10)`` prints how many of them are done.

    Returns
    -------
    errors : DataFrame
        A row for each fold, origin and step with the columns `fold`; `origin`, the position
        of the last known row; `step`, from 1; `label`, that of the predicted row, or its
        position; `target`, its column, if there are several; `y_true`; and `y_pred`. With
        several series, the column after `fold` names them; it has the name that `groups`
        gives, or `series`. With a `baseline`, `y_last`, or `y_last_12` of a season of 12
        steps; NaN where the rows up to the origin are fewer. For a model with
        ``loss="quantile"``, also a column for each level, such as `y_pred_0.1`. Only the
        median is fed back, so the levels of later steps are too narrow, unless the model is
        a direct one; :func:`conformal_interval` corrects them.

    Raises
    ------
    TypeError
        If `X` or `y` holds times or other objects that are not numbers, or is sparse.

    ValueError
        If `X` or `y` holds text or complex numbers; if the columns of the target do not
        hold `y`, so that feeding predictions back in would be wrong; if test rows do not
        come after the training rows, are not consecutive, or are fewer than `steps`; or as
        in :func:`forecast`.

    Warns
    -----
    UserWarning
        If ``refit=False`` and the model was fitted on some of the test rows, which it
        predicts better than future ones; or if labels are missing between the rows.

    See Also
    --------
    conformal_interval : Bounds around a forecast, from these errors.
    skill_score : How much smaller they are than those of a baseline.
    make_forecast_scorer : The same in a search.
    sklearn.model_selection.cross_validate : Scores of one-step predictions.

    Notes
    -----
    Forecasts of a fold are computed together if an :class:`LSTMRegressor` comes right after
    the windows and the steps before them act row by row, which `backtest` finds out by
    trying. Otherwise they are computed one by one, which takes longer. Both ways give the
    same bits.

    With several series, the rows before the first origin have to be in `X`: a series that
    is new in a fold has its first origin after as many rows as a window reaches back, and
    one with fewer test rows than `steps` has none. Origins are counted within each series.

    Callbacks of scikit-learn are set on the model: with
    ``model.set_callbacks(ProgressBar())`` one bar counts the folds, and one more for each
    of them shows its fit.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import TimeSeriesSplit
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, WindowTransformer, backtest
    >>> y = np.sin(0.3 * np.arange(120))
    >>> model = make_pipeline(
    ...     WindowTransformer(seq_length=8),
    ...     LSTMRegressor(units=16, epochs=20, learning_rate=0.01, random_state=0),
    ... )
    >>> cv = TimeSeriesSplit(n_splits=2, test_size=24)
    >>> errors = backtest(model, y[:, None], y, cv=cv, steps=12)
    >>> errors[["fold", "origin", "step", "label"]].iloc[[0, 11, 12, -1]]
        fold  origin  step  label
    0      0      71     1     72
    11     0      71    12     83
    12     0      83     1     84
    47     1     107    12    119
    >>> absolute_error = (errors["y_true"] - errors["y_pred"]).abs()
    >>> absolute_error.groupby(errors["step"]).mean().round(1).tolist()
    [...]
    """
    table, has_index = check_table(X, "X")
    layout = Layout.of(model, table, y, has_index=has_index)
    columns = check_columns(column_names(table), target, group=layout.group)
    check_same_order(X, y)
    # Before the first fit: what is no number in these is no matter of the model.
    check_true_values(y, n_rows=len(table))
    float_array(columns_of(table, list(columns.targets)))
    task = _Backtest(
        model,
        X,
        y,
        layout,
        columns,
        steps=None if steps is None else int(steps),
        every=int(every or steps or 1),
        refit=refit,
        params=params or {},
        seasons=check_baselines(baseline),
    )
    if layout.keys is None:
        folds = check_folds(
            cv, X, y, groups, n_rows=len(table), steps=task.steps, refit=refit
        )
    else:
        folds = check_series_folds(
            cv, X, y, groups, layout=layout, steps=task.steps, refit=refit
        )
    progress = Backtest(model)

    def run_folds(contexts: list[CallbackContext]) -> list[pd.DataFrame]:
        # Arrays are bound to the function: joblib's Dask backend puts those among the
        # arguments on one worker each, and fails where that worker is killed.
        return Parallel(n_jobs=n_jobs)(
            delayed(partial(task.fold, number, train, test, progress, contexts[number]))()
            for number, (train, test) in enumerate(folds)
        )

    parts = progress.run(X, y, len(folds), run_folds)
    if not refit:
        task.warn_of_fitted_rows([test for _, test in folds])
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class _Backtest:
    """What all folds have in common; `X` and `y` as they were passed, and read."""

    model: BaseEstimator
    X: ArrayLike
    y: ArrayLike
    layout: Layout
    columns: Columns
    steps: int | None
    every: int
    refit: bool
    params: Keywords
    seasons: dict[str, int]

    def fold(
        self,
        number: int,
        train: NDArray[np.intp],
        test: NDArray[np.intp],
        progress: Backtest,
        context: CallbackContext,
    ) -> pd.DataFrame:
        """Return the rows of one fold, and report it."""
        if not self.refit:
            with progress.fold(context, None, None, None):
                return self._rows(self.model, number, test)
        params = check_method_params(self.X, self.params, indices=train)
        X, y = safe_indexing(self.X, train), safe_indexing(self.y, train)
        model = clone(self.model)
        with progress.fold(context, model, X, y):
            try:
                model.fit(X, y, **params)
            except InvalidParameterError as error:
                # As another type, or scikit-learn calls it a parameter of this function.
                raise ValueError(str(error)) from error
            return self._rows(model, number, test)

    def _rows(
        self, model: BaseEstimator, number: int, test: NDArray[np.intp]
    ) -> pd.DataFrame:
        """Return the forecasts of a fitted model from the origins in the test rows."""
        windows = resolve_windows(model)
        predictor = Predictor(model, fitted_quantiles(model))
        layout = self.layout
        y_true = true_values(
            layout.table,
            np.asarray(self.y)[layout.order] if layout.keys is not None else self.y,
            self.columns,
            horizon=windows.horizon,
            starts=layout.starts,
        )
        if layout.keys is None and not windows.cuts:
            self._warn_of_holes(windows, test)
        try:
            origins, first_step, predicted = self._predictions(predictor, windows, test)
        except UnknownPastError as error:
            raise ValueError(f"Fold {number}: {error}") from error
        y_pred, *levels = predicted
        step = np.arange(first_step, first_step + y_pred.shape[1])
        names = self.columns.target_names
        columns = columns_of_place(layout, names, number, origins, step, y_pred.shape)
        rows = origins[:, np.newaxis] + step  # (n_origins, steps)
        columns |= {"y_true": y_true[rows].ravel(), "y_pred": y_pred.ravel()}
        for name, season in self.seasons.items():
            starts = layout.starts[origins]
            values = repeated_values(y_true, origins, step, season, starts=starts)
            columns[name] = values.ravel()
        for quantile, values in zip(predictor.quantiles, levels, strict=True):
            columns[level_column(quantile)] = values.ravel()
        return pd.DataFrame(columns)

    def _predictions(
        self, predictor: Predictor, windows: ModelWindows, test: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], int, NDArray[np.float64]]:
        """Return origins, the first step, and predictions.

        Their shape is (1 + n_levels, n_origins, steps, n_values).
        """
        table = self.layout.table
        if self.steps is None:
            if self.layout.keys is None:
                known = rows_of(table, slice(int(test[-1]) + 1))
                outputs = one_step_predictions(predictor, windows, known, len(test))
            else:
                test = self.layout.with_past(test, windows.reach)
                outputs = chosen_predictions(predictor, windows, table, test)
            n_values = len(self.columns.targets) or outputs.shape[2]
            step = max(windows.horizon, 1)
            return test - step, step, outputs[:, :, np.newaxis, :n_values]
        origins = self.layout.origins(
            test, reach=windows.reach, steps=self.steps, every=self.every
        )
        y_pred = forecasts_from(
            predictor,
            windows,
            table,
            self.columns,
            origins,
            steps=self.steps,
            starts=self.layout.starts[origins],
        )
        return origins, 1, y_pred

    def _warn_of_holes(self, windows: ModelWindows, test: NDArray[np.intp]) -> None:
        """Warn where windows of test rows reach across labels that are missing."""
        if isinstance(self.layout.table, pd.DataFrame):
            labels = check_labels(self.layout.table.iloc[: int(test[-1]) + 1], warn=False)
            holes = own_holes(labels, own_spacing(labels)).seen_from(int(test[0]))
            warn_of_holes(
                holes,
                n_rows=len(test),
                n_past=int(test[0]),
                seq_length=windows.seq_length,
                horizon=windows.horizon,
            )

    def warn_of_fitted_rows(self, tests: list[NDArray[np.intp]]) -> None:
        """Warn if a fitted model has seen rows that it was to forecast."""
        windows = resolve_windows(self.model)
        if self.layout.keys is not None:
            n_seen = n_seen_rows(windows, self.layout, tests)
            seen = f"on {n_seen} of the test rows"
        else:
            first = min(int(test[0]) for test in tests)
            n_fitted = n_fitted_rows(self.model, windows, self.layout.table)
            n_seen = n_fitted - first
            seen = f"on the first {n_fitted} rows of X, and the test rows begin with row "
            seen += str(first)
        if n_seen > 0:
            warn_caller(
                f"refit=False, but the model was fitted {seen}: it has seen what it "
                "forecasts, and the errors of forecasts to come will be larger. Fit the "
                "model on the rows before, or set refit=True."
            )
