"""What a ForecastDisplay draws, put on one time axis: history, true values, forecasts.

`align_rows` finds the rows that are known before a forecast, by labels or by position;
`baseline_values` gives a baseline on the same rows.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_array

from sklstm._arrays import reading
from sklstm._types import Passed
from sklstm.forecasting._baselines import Baseline, check_season, repeated_values
from sklstm.forecasting._series import SeriesTable
from sklstm.inspection._axes import FEW_POINTS
from sklstm.windows._labels import inferred_index, table_index
from sklstm.windows._next_labels import next_index

# Rows of history that are drawn for each step ahead, so that a forecast can be seen.
HISTORY_PER_STEP = 4


@dataclass(frozen=True)
class ForecastRows:
    """True and predicted values on one time axis, of shape (n_rows, n_outputs).

    The first `n_history` rows were known when the forecast was made; they have no
    prediction. Later true values may be unknown.
    """

    true: NDArray[np.float64]
    pred: NDArray[np.float64]
    n_history: int
    labels: pd.Index | None
    names: list[str] | None

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return self.true.shape[1]

    def last(self, n_history: int | None) -> Self:
        """Return the rows with no more than `n_history` rows of history, by default few."""
        if n_history is None:
            n_ahead = len(self.true) - self.n_history
            n_history = max(FEW_POINTS, HISTORY_PER_STEP * n_ahead)
        rows = slice(max(self.n_history - n_history, 0), None)
        return replace(
            self,
            true=self.true[rows],
            pred=self.pred[rows],
            n_history=min(self.n_history, n_history),
            labels=None if self.labels is None else self.labels[rows],
        )


def align_rows(
    y_true: Passed,
    y_pred: Passed,
    *,
    history: Passed,
    index: Passed,
) -> ForecastRows:
    """Return true and predicted values as rows of one time axis, and what is history."""
    pred = _check_values(y_pred, "y_pred")
    labels = None if index is None else pd.Index(index)
    if history is not None:
        return _after_history(history, y_true, y_pred, pred, labels)
    if y_true is None:
        raise ValueError(
            "y_true=None leaves nothing to draw beside the forecast. Pass the true values, "
            "or those known before it as history."
        )
    true = _check_values(y_true, "y_true")
    if labels is None and _have_own_labels(y_true, y_pred):
        return _by_label(y_true, y_pred)
    if len(true) != len(pred):
        raise ValueError(
            f"y_pred should be of shape {true.shape}, like y_true, got {pred.shape}. If "
            "y_true holds the values known before the forecast, pass them as history."
        )
    _check_same_shape(true.shape, "y_true", y_pred=pred.shape)
    if labels is not None:
        _check_same_shape(true.shape[:1], "y_true", index=labels.shape)
    else:
        labels = table_index(y_true)
    return ForecastRows(_columns(true), _columns(pred), 0, labels, output_names(y_true))


def _have_own_labels(y_true: Passed, y_pred: Passed) -> bool:
    """Whether both are labelled in one way, so that rows are found by their labels."""
    index, labels = table_index(y_true), table_index(y_pred)
    if index is None or labels is None or index.equals(labels):
        return False
    return len(index) != len(labels) or _kind(index) == _kind(labels)


def _kind(index: pd.Index) -> str:
    """Return the kind of labels, such as times; numbers of all types are one."""
    index = inferred_index(index)
    if isinstance(index, pd.DatetimeIndex):
        return "times with a time zone" if index.tz is not None else "times"
    return "numbers" if index.dtype.kind in "iuf" else str(index.dtype)


def _by_label(y_true: Passed, y_pred: Passed) -> ForecastRows:
    """Align pandas objects by label: rows of y_true before all of y_pred are history."""
    index, labels = (inferred_index(y.index) for y in (y_true, y_pred))
    _check_kinds(index, labels, "y_true")
    for name, one in (("y_true", index), ("y_pred", labels)):
        if not (one.is_unique and one.is_monotonic_increasing):
            raise ValueError(
                f"The index of {name} repeats labels or is not in time order, so that its "
                "rows cannot be matched. Sort it, or pass arrays and history."
            )
    true, pred = _frame(y_true, index), _frame(y_pred, labels)
    pred = _like_columns(pred, true, "y_true")
    joined = index.union(labels)
    return ForecastRows(
        true.reindex(joined).to_numpy(np.float64),
        pred.reindex(joined).to_numpy(np.float64),
        int((joined < labels[0]).sum()),
        joined.rename(index.name if index.name is not None else labels.name),
        output_names(y_true),
    )


def _after_history(
    history: Passed,
    y_true: Passed,
    y_pred: Passed,
    pred: NDArray,
    labels: pd.Index | None,
) -> ForecastRows:
    """Return the rows of a history and of the forecast after it."""
    known = _check_values(history, "history")
    true = np.full(pred.shape, np.nan)
    if y_true is not None:
        true = _check_values(y_true, "y_true")
        _check_same_shape(pred.shape, "y_pred", y_true=true.shape)
    known, true, pred = _columns(known), _columns(true), _columns(pred)
    if known.shape[1] != pred.shape[1]:
        raise ValueError(
            f"history has {known.shape[1]} columns, but y_pred {pred.shape[1]}; both "
            "should have one for each output."
        )
    n_history, n_rows = len(known), len(known) + len(pred)
    if labels is None:
        labels = _joined_labels(history, y_true, y_pred, n_ahead=len(pred))
    elif len(labels) != n_rows:
        raise ValueError(
            f"index should have a label for each of {n_history} rows of history and "
            f"{len(pred)} of y_pred, got {len(labels)}."
        )
    names = output_names(history)
    return ForecastRows(
        np.concatenate([known, true]),
        np.concatenate([np.full(known.shape, np.nan), pred]),
        n_history,
        labels,
        names,
    )


def _joined_labels(
    history: Passed, y_true: Passed, y_pred: Passed, *, n_ahead: int
) -> pd.Index | None:
    """Return the labels of history and forecast; None if they are not known."""
    index = table_index(history)
    if index is None:
        return None
    index, ahead = inferred_index(index), table_index(y_pred)
    if ahead is None:
        ahead = table_index(y_true)
    if ahead is None:
        ahead = next_index(index, n_ahead) if len(index) else None
    if ahead is None:
        return None
    ahead = inferred_index(ahead)
    _check_kinds(index, ahead, "history")
    joined = index.append(ahead)
    if not joined.is_monotonic_increasing:
        raise ValueError(
            f"history ends at {index[-1]}, and the forecast begins at {ahead[0]}, which is "
            "no later. Pass the values known before the forecast as history."
        )
    return joined


def _check_kinds(index: pd.Index, ahead: pd.Index, name: str) -> None:
    if _kind(index) != _kind(ahead):
        raise ValueError(
            f"{name} is labelled by values such as {index[0]!r}, y_pred by {ahead[0]!r}. "
            "Give both the same kind of index, or pass arrays."
        )


def _frame(y: Passed, index: pd.Index) -> pd.DataFrame:
    table = y.to_frame() if isinstance(y, pd.Series) else y
    return table.set_axis(index).astype(np.float64)


def _like_columns(table: pd.DataFrame, like: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table with the columns of another, in its order."""
    if table.shape[1] == like.shape[1] == 1:
        return table
    if set(table.columns) != set(like.columns):
        raise ValueError(
            f"y_pred has the columns {list(table.columns)}, but {name} has "
            f"{list(like.columns)}. Pass one column for each output."
        )
    return table[list(like.columns)]


def _check_values(y: Passed, name: str) -> NDArray[np.float64]:
    with reading(y, name):
        values: NDArray[np.float64] = check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite="allow-nan",
            input_name=name,
        )
    return values


def _columns(y: NDArray[np.float64]) -> NDArray[np.float64]:
    return y.reshape(len(y), -1)


def _check_same_shape(
    expected: tuple[int, ...], like: str, **shapes: tuple[int, ...]
) -> None:
    for name, shape in shapes.items():
        if shape != expected:
            raise ValueError(
                f"{name} should be of shape {expected}, like {like}, got {shape}."
            )


def output_names(y: Passed) -> list[str] | None:
    """Return the names of outputs, as labels of the vertical axes."""
    if isinstance(y, pd.DataFrame):
        return [str(name) for name in y.columns]
    if isinstance(y, pd.Series):
        return None if y.name is None else [str(y.name)]
    shape = np.shape(y)
    return [f"y {output}" for output in range(shape[1])] if len(shape) == 2 else ["y"]


def check_draws_one_series(n_series: int, *, beyond: bool) -> None:
    """Check that the rows to draw are of one series; only a forecast beyond them has to."""
    if n_series == 1:
        return
    remedy = "Draw one at a time: select its rows of X and y"
    if beyond:
        raise ValueError(
            f"X holds {n_series} series, each of which has a forecast of its own. "
            f"{remedy}, or pass its part of the forecast to from_predictions."
        )
    warnings.warn(
        f"X holds {n_series} series, whose rows are drawn on one axis, joined as they "
        f"stand. {remedy}.",
        stacklevel=3,
    )


def baseline_values(
    baseline: Baseline, rows: ForecastRows, *, horizon: int = 1
) -> tuple[str, NDArray[np.float64]]:
    """Return a name for a baseline, and its values on the rows of the forecast.

    After a history its last values are repeated; otherwise each row is predicted `horizon`
    steps ahead.
    """
    season = check_season(baseline)
    n_history, values = rows.n_history, np.full(rows.true.shape, np.nan)
    if n_history:
        if season > n_history:
            raise ValueError(
                f"baseline={baseline!r} repeats the last {season} values, but only "
                f"{n_history} are known before the forecast. Pass more history."
            )
        steps = np.arange(1, len(rows.true) - n_history + 1)
        origin = np.array([n_history - 1])
        values[n_history:] = repeated_values(rows.true, origin, steps, season)[0]
    else:
        origins = np.arange(len(rows.true)) - horizon
        values[:] = repeated_values(rows.true, origins, np.array([horizon]), season)[:, 0]
    name = "last value" if season == 1 else f"last {season} values"
    return f"{name} repeated", values


def with_labels_of(X: Passed, y: Passed) -> Passed:
    """Return the true values as a pandas object with the labels of X, if they have none."""
    index = table_index(X)
    if index is None or table_index(y) is not None or len(index) != len(y):
        return y
    values = np.asarray(y)
    names = output_names(y)
    if values.ndim == 1:
        return pd.Series(values, index, name=names[0] if names else None)
    return pd.DataFrame(values, index, columns=names)


def without_level(values: Passed, series: SeriesTable | None) -> Passed:
    """Return values of one series without the level of their labels that names it."""
    index = table_index(values)
    if series is None or index is None or series.groups not in index.names:
        return values
    return values.droplevel(series.groups) if index.nlevels > 1 else values


def of_one_series(y_pred: Passed, series: SeriesTable | None) -> Passed:
    """Return a forecast of one series without the axis, column or level that names it."""
    if series is None:
        return y_pred
    if isinstance(y_pred, np.ndarray):
        return y_pred[0]
    if series.column is not None:
        y_pred = y_pred.iloc[:, 1:]  # the first column holds the name
        y_pred = y_pred.iloc[:, 0] if y_pred.shape[1] == 1 else y_pred
    return without_level(y_pred, series)


def without_row_numbers(y_pred: Passed) -> Passed:
    """Return a forecast as an array if its labels only count the steps ahead from 0."""
    index = table_index(y_pred)
    if index is None or not index.equals(pd.RangeIndex(len(index))):
        return y_pred
    return y_pred.to_numpy()
