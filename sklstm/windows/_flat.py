"""Check that a table does not hold flat windows of several features.

LSTMRegressor reads a table as windows of one feature. The flat windows of
``WindowTransformer(flatten=True)`` are meant for other regressors: read as windows of one
feature, they would be `n_features` times too long, and features would count as steps.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NAME_OF_LAG = re.compile(r"(.*)_lag\d+")
# Number of last pairs of rows that are compared; an imputer may have filled the first rows.
N_PAIRS = 64


def check_not_flat(table: NDArray, column_names: Sequence[str] | None) -> None:
    """Raise an error if a table holds flat windows of several features.

    They are recognised by the names of the columns, or by the rows: each row is the row
    before it, shifted by one step, which takes several columns, and the first row shows
    that an imputer has filled it, with means or with one number. (Without this second
    condition, windows of one feature would look the same if only every second or third of
    them had been kept.)
    """
    n_features = _features_by_name(column_names) or _features_by_overlap(table)
    if n_features > 1:
        raise ValueError(
            f"X holds flat windows of {n_features} features, as "
            "WindowTransformer(flatten=True) makes them for regressors that take tables. "
            "LSTMRegressor reads windows of shape (n_samples, seq_length, n_features): set "
            "flatten=False, and remove any imputer in between. If they are windows of one "
            f"feature, of which every {n_features}th was kept, pass X[:, :, None] instead."
        )


def _features_by_name(column_names: Sequence[str] | None) -> int:
    if column_names is None:
        return 0
    matches = [NAME_OF_LAG.fullmatch(name) for name in column_names]
    return len({match[1] for match in matches if match}) if all(matches) else 0


def _features_by_overlap(table: NDArray) -> int:
    n_rows, n_columns = table.shape
    for shift in range(1, n_columns // 2 + 1):
        n_pairs = min(N_PAIRS, n_rows - 1 - n_columns // shift)
        if n_columns % shift or n_pairs < 2:
            continue
        last_rows = table[-n_pairs - 1 :]
        if (last_rows == last_rows[0]).all():
            continue  # rows that repeat each other overlap however they were made
        if _overlap(last_rows, shift):
            is_filled = not _overlap(table[:2], shift) or (table[0] == table[0, 0]).all()
            return shift if shift > 1 and is_filled else 0
    return 0


def _overlap(rows: NDArray, shift: int) -> bool:
    """Return whether each row is the row before it, shifted by `shift` columns."""
    return np.array_equal(rows[:-1, shift:], rows[1:, :-shift])
