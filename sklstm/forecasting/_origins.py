"""Forecasts from many origins of one table: together where that is the same, else by turns.

An origin is the position of the last known row. From the same table, `n_origins` forecasts
differ in their windows alone. So the rows ahead of all origins are put below the known ones
and pass through the steps before the windows in one call; then each window is put together
from its own rows (`ChosenSteps`). This needs an `LSTMRegressor`, whose prediction of a row
does not depend on other rows (matrix products round by the number of rows), and steps that
act row by row. These are tried out: the forecasts from the first and the last origin must
have the same bits as one by one.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sklstm._pipelines import ModelWindows
from sklstm.forecasting._columns import Columns, Table, columns_of, float_array, rows_of
from sklstm.forecasting._quantiles import Predictor
from sklstm.forecasting._reading import make_rows
from sklstm.forecasting._recursive import consecutive_steps, recursive_predictions
from sklstm.windows._requests import (
    ChosenSteps,
    LastRows,
    UnknownPastError,
    requested_windows,
)

# Values of windows that exist at once, 32 MiB.
N_VALUES_AT_ONCE = 2**22


def forecasts_from(
    predictor: Predictor,
    windows: ModelWindows,
    table: Table,
    columns: Columns,
    origins: NDArray[np.intp],
    *,
    steps: int,
    starts: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """Return the forecasts from each origin: (1 + n_levels, n_origins, steps, n_values).

    Columns that are no targets are read from `table`, also ahead of an origin. `starts`
    has the first row of the series of each origin.
    """
    start_of = dict(
        zip(origins, [0] * len(origins) if starts is None else starts, strict=True)
    )
    singly = {
        o: _forecast_from(predictor, windows, table, columns, start_of[o], o, steps=steps)
        for o in (origins[0], origins[-1])
    }
    by_turns = windows.cuts or windows.fills
    if len(singly) < len(origins) and windows.read_directly and not by_turns:
        together = _forecasts_together(
            predictor, windows, table, columns, origins, steps=steps
        )
        ends = together[:, 0], together[:, -1]
        pairs = zip(ends, (singly[origins[0]], singly[origins[-1]]), strict=True)
        if np.isfinite(together).all() and all(np.array_equal(*pair) for pair in pairs):
            return together
    for origin in origins[1:-1]:
        singly[origin] = _forecast_from(
            predictor, windows, table, columns, start_of[origin], origin, steps=steps
        )
    return np.stack([singly[origin] for origin in origins], axis=1)


def _forecast_from(
    predictor: Predictor,
    windows: ModelWindows,
    table: Table,
    columns: Columns,
    first: int,
    origin: int,
    *,
    steps: int,
) -> NDArray[np.float64]:
    """Return the forecast from one origin, given the rows of its series from `first` on."""
    start, stop = origin + 1, origin + 1 + steps
    future = rows_of(table, slice(start, stop))
    read = columns.others if windows.horizon else columns.features
    future = columns_of(future, list(read))
    index = table.index[first:stop] if isinstance(table, pd.DataFrame) else None
    rows = make_rows(
        rows_of(table, slice(first, start)),
        future,
        columns,
        horizon=windows.horizon,
        steps=steps,
        index=index,
    )
    return recursive_predictions(predictor, windows, rows)[:, 0]


def _forecasts_together(
    predictor: Predictor,
    windows: ModelWindows,
    table: Table,
    columns: Columns,
    origins: NDArray[np.intp],
    *,
    steps: int,
) -> NDArray[np.float64]:
    n_rows = max(windows.horizon, 1)
    n_values = n_rows * windows.seq_length * len(columns.names)
    n_at_once = max(N_VALUES_AT_ONCE // n_values, 1)
    parts = []
    for start in range(0, len(origins), n_at_once):
        part = origins[start : start + n_at_once]
        first = max(int(part[0]) - windows.reach, 0)
        rows = _OriginRows(
            rows_of(table, slice(first, None)), columns, part - first, windows, steps=steps
        )
        parts.append(_predictions_together(predictor, rows))
    return np.concatenate(parts, axis=1)


class _OriginRows:
    """The known rows, and below them, step by step, the rows ahead of every origin.

    Row ``n_known + k * n_origins + i`` is the row `k` steps after the next of origin `i`.
    """

    def __init__(
        self,
        table: Table,
        columns: Columns,
        origins: NDArray[np.intp],
        windows: ModelWindows,
        *,
        steps: int,
    ) -> None:
        self.table, self.columns, self.origins = table, columns, origins
        self.windows, self.steps = windows, steps
        self.n_known = int(origins.max()) + 1
        ahead = origins[np.newaxis] + 1 + np.arange(steps)[:, np.newaxis]
        self.positions = np.append(np.arange(self.n_known), ahead.ravel())
        targets = float_array(columns_of(table, list(columns.targets)))
        self.targets = targets[self.positions]

    def read_by(self, first: int, n_rows: int) -> Table:
        """Return the rows that windows of rows ahead from `first` on consist of."""
        n_ahead = first if self.windows.horizon else first + n_rows
        read = self.positions[: max(self.n_known + n_ahead * len(self.origins), 1)]
        if isinstance(self.table, pd.DataFrame):
            rows = self.table.take(read)
            for k, position in enumerate(self.columns.targets):
                rows.isetitem(position, self.targets[: len(read), k])
            return rows
        array = float_array(self.table[read])
        array[:, list(self.columns.targets)] = self.targets[: len(read)]
        return array

    def request(self, first: int, n_rows: int) -> ChosenSteps:
        """Return the windows of rows ahead from `first` on, origin by origin."""
        seq_length, n_origins = self.windows.seq_length, len(self.origins)
        row = np.arange(first, first + n_rows)[:, np.newaxis]
        ahead = row - self.windows.horizon - seq_length + 1 + np.arange(seq_length)
        ahead = np.broadcast_to(ahead, (n_origins, *ahead.shape))
        origins = self.origins[:, np.newaxis, np.newaxis]
        number = np.arange(n_origins)[:, np.newaxis, np.newaxis]
        steps = np.where(
            ahead < 0, origins + 1 + ahead, self.n_known + ahead * n_origins + number
        )
        return ChosenSteps(steps.reshape(-1, seq_length), n_series=self.n_known)

    def write(self, first: int, values: NDArray) -> None:
        """Write predictions of shape (n_origins, n, n_targets)."""
        if not self.columns.targets:
            return
        ahead = self.targets[self.n_known :].reshape(self.steps, len(self.origins), -1)
        start = first + (0 if self.windows.horizon else 1)
        rows = ahead[start : start + values.shape[1]]
        rows[:] = values.swapaxes(0, 1)[: len(rows)]


def _predictions_together(predictor: Predictor, rows: _OriginRows) -> NDArray[np.float64]:
    """Return predictions (1 + n_levels, n_origins, steps, n_values), block by block."""
    blocks, n_done, n_origins = [], 0, len(rows.origins)
    transformers = rows.windows.transformers
    while n_done < rows.steps:
        n_rows = min(max(rows.windows.horizon, 1), rows.steps - n_done)
        request = rows.request(n_done, n_rows)
        with requested_windows(transformers, request), np.errstate(all="ignore"):
            outputs = predictor.outputs(rows.read_by(n_done, n_rows))
        by_origin = outputs.reshape(len(outputs), n_origins, n_rows, -1)
        values = consecutive_steps(by_origin, rows.columns)[:, :, : rows.steps - n_done]
        rows.write(n_done, values[0])
        blocks.append(values)
        n_done += values.shape[2]
    return np.concatenate(blocks, axis=2)


def one_step_predictions(
    predictor: Predictor, windows: ModelWindows, table: Table, n_rows: int
) -> NDArray[np.float64]:
    """Return predictions of the last rows, each from the true steps before it.

    Their shape is (1 + n_levels, n_rows, n_outputs).
    """
    request = LastRows(n_rows, n_series=len(table), only_these=windows.read_directly)
    with requested_windows(windows.transformers, request):
        return predictor.outputs(table)[:, -n_rows:]


def chosen_predictions(
    predictor: Predictor, windows: ModelWindows, table: Table, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return predictions of rows of several series, each from the true steps before it.

    Their shape is (1 + n_levels, n_rows, n_outputs). The steps are in the table.
    """
    if windows.read_directly and not windows.cuts:
        last = rows[:, np.newaxis] - windows.horizon
        steps = last - np.arange(windows.seq_length - 1, -1, -1)
        request = ChosenSteps(steps, n_series=len(table))
        with requested_windows(windows.transformers, request):
            return predictor.outputs(table)
    request_all = LastRows(1, n_series=len(table), only_these=False)
    with requested_windows(windows.transformers, request_all):
        return predictor.outputs(table)[:, rows]


def continues_fitted_rows(
    model: BaseEstimator, windows: ModelWindows, table: Table
) -> bool:
    """Whether the rows of a table are the steps that follow the fitted ones."""
    try:
        one_step_predictions(Predictor(model), windows, table, len(table))
    except UnknownPastError:
        return False
    return True
