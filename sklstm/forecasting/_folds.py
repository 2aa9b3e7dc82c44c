"""Folds of a backtest, their true values, and which rows a model was fitted on."""

from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import TimeSeriesSplit, check_cv
from sklearn.utils import check_array

from sklstm._arrays import reading
from sklstm._pipelines import ModelWindows
from sklstm._types import Splits
from sklstm.forecasting._columns import Columns, Table, columns_of, float_array
from sklstm.forecasting._layout import Layout
from sklstm.forecasting._origins import continues_fitted_rows
from sklstm.windows._checks import check_labels
from sklstm.windows._groups import series_names
from sklstm.windows._labels import inferred_index, read_labels


def check_folds(
    cv: Splits,
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None,
    *,
    n_rows: int,
    steps: int | None,
    refit: bool,
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the folds as positions of consecutive test rows after the training rows."""
    cv = TimeSeriesSplit(int(cv)) if isinstance(cv, Integral) else check_cv(cv)
    folds = []
    for number, (train, test) in enumerate(cv.split(X, y, groups)):
        rows = np.arange(n_rows)
        train, test = rows[train], rows[test]
        if not len(test) or (np.diff(test) != 1).any():
            raise ValueError(
                f"The test rows of fold {number} are not consecutive rows in time order. "
                "Use a splitter such as TimeSeriesSplit."
            )
        if refit and (not len(train) or train.max() >= test[0]):
            raise ValueError(
                f"Fold {number} trains on rows that come after its first test row, "
                f"{test[0]}: its forecasts would know the future. Use a splitter such as "
                "TimeSeriesSplit."
            )
        if steps is not None and len(test) < steps:
            raise ValueError(
                f"Fold {number} has {len(test)} test rows; steps={steps} needs "
                "at least as many. Lower steps, or raise test_size of the splitter."
            )
        folds.append((train, test))
    if not folds:
        raise ValueError(f"cv={cv!r} gives no folds. Pass a splitter or a list of them.")
    return folds


def check_series_folds(
    cv: Splits,
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None,
    *,
    layout: Layout,
    steps: int | None,
    refit: bool,
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the folds of a table of several series.

    Training rows are positions in the passed table, test rows those in the sorted one. The
    test rows of each series are consecutive, and come after its training rows.
    """
    cv = TimeSeriesSplit(int(cv)) if isinstance(cv, Integral) else check_cv(cv)
    folds, rows = [], np.arange(len(layout.order))
    if groups is None and layout.keys is not None and _splits_by_group(cv):
        groups = pd.Series(layout.keys, layout.order).sort_index().to_numpy()
    for number, (train, test) in enumerate(cv.split(X, y, groups)):
        train, tested = rows[train], layout.places(rows[test])
        last = np.full(
            len(rows), -1
        )  # the last training row of the series that starts there
        trained = layout.places(train)
        last[layout.starts[trained]] = trained
        for of_series in layout.by_series(tested):
            first = int(of_series[0])
            where = f"The test rows of fold {number}{layout.name_of(first)}"
            if (np.diff(of_series) != 1).any():
                raise ValueError(
                    f"{where} are not consecutive rows in time order. Use a splitter by "
                    "time, or one by series such as GroupKFold."
                )
            if refit and last[layout.starts[first]] >= first:
                raise ValueError(
                    f"{where} begin before the last training row of this series: the "
                    "forecasts would know the future. Use a splitter by time, such as "
                    "TimeSeriesSplit on rows sorted by time, or by series, such as "
                    "GroupKFold."
                )
        folds.append((train, tested))
    if not folds:
        raise ValueError(f"cv={cv!r} gives no folds. Pass a splitter or a list of them.")
    return folds


def _splits_by_group(cv: Splits) -> bool:
    """Return whether a splitter such as GroupKFold asks for groups."""
    if not hasattr(cv, "get_metadata_routing"):
        return False
    return bool(cv.get_metadata_routing().split.requests.get("groups"))


def check_true_values(y: ArrayLike, *, n_rows: int) -> NDArray[np.float64]:
    """Return the true values (n_rows, n_values); they may be unknown."""
    with reading(y, "y"):
        y_true: NDArray = check_array(
            y,
            dtype="numeric",
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite=False,
            ensure_min_samples=0,
            input_name="y",
        ).astype(np.float64, copy=False)
    if y_true.ndim not in (1, 2):
        raise ValueError(
            "y should be of shape (n_samples,) or (n_samples, n_outputs), got the shape "
            f"{y_true.shape}."
        )
    if len(y_true) != n_rows:
        raise ValueError(
            f"X has {n_rows} rows, but y has {len(y_true)}; every row needs its target."
        )
    return y_true.reshape(len(y_true), -1)


def true_values(
    table: Table,
    y: ArrayLike,
    columns: Columns,
    *,
    horizon: int,
    starts: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """Return the true values (n_rows, n_values), checked against the target's columns."""
    y_true = check_true_values(y, n_rows=len(table))
    if not columns.targets:
        return y_true
    if len(columns.targets) == 1:
        y_true = y_true[:, :1]  # further ones are the next steps of a direct model
    places = list(columns.targets)
    held = float_array(columns_of(table, places))
    if held.shape == y_true.shape:
        expected = y_true if horizon else y_true[:-1]
        differs = ~np.isclose(held if horizon else held[1:], expected, 1e-6, equal_nan=True)
        if not horizon and starts is not None:
            differs[np.diff(starts) > 0] = False  # from one series to the next
        if not differs.any():
            return y_true
        row = int(differs.any(axis=1).argmax()) + (0 if horizon else 1)
        came = f"in row {row} they hold {held[row].tolist()}, and y "
        came += f"{y_true[row if horizon else row - 1].tolist()}"
    else:
        came = f"y has {y_true.shape[1]} columns"
    when = "in the same row" if horizon else "of the row before, since horizon=0"
    raise ValueError(
        f"The columns of the target, {columns.target_names}, have to hold the values of y "
        f"{when}: predictions are fed back in there. But {came}. Name the right columns as "
        "target, or target=[] if no column of X holds it."
    )


def n_fitted_rows(model: BaseEstimator, windows: ModelWindows, table: Table) -> int:
    """Return how many first rows a model was fitted on, as far as is known."""
    fitted = windows.fitted_labels()
    labels = check_labels(table, warn=False)
    if fitted is not None and labels is not None and fitted.is_comparable(labels):
        return int((labels.values <= fitted.last.values[-1]).sum())
    if continues_fitted_rows(model, windows, table):
        return 0
    lengths = windows.transformers[0]._first_rows["lengths"]
    return int(lengths[-1]) if len(lengths) else 0


def n_seen_rows(
    windows: ModelWindows, layout: Layout, tests: list[NDArray[np.intp]]
) -> int:
    """Return how many test rows of several series a model was fitted on, by their labels.

    0 where there are no labels, which alone tell.
    """
    fitted = windows.fitted_series()
    if fitted.labels is None or layout.keys is None:
        return 0
    rows = np.unique(np.concatenate(tests))
    codes, keys = pd.factorize(layout.keys[rows])
    numbers = pd.Index(fitted.names).get_indexer(pd.Index(series_names(keys)))[codes]
    labels = read_labels(inferred_index(pd.Index(layout.labels[rows])))
    like = fitted.labels
    if labels is None or labels.kind != like.like.kind or not like.is_like(labels):
        return 0
    return int(((numbers >= 0) & (labels.values <= like.lasts[numbers])).sum())
