"""make_windows: complete windows and their targets, outside a Pipeline."""

from numbers import Integral

from numpy.typing import ArrayLike, NDArray

from sklstm._sklearn_compat import at_least, validate_params
from sklstm.windows._by_series import ManySeries
from sklstm.windows._checks import (
    check_enough_rows,
    check_row_labels,
    check_same_order,
    warn_of_holes,
)
from sklstm.windows._groups import GroupedTable
from sklstm.windows._holes import (
    own_holes,
    own_spacing,
)
from sklstm.windows._labels import table_index
from sklstm.windows._mapped import is_mapped
from sklstm.windows._series_checks import check_series_and_targets
from sklstm.windows._views import (
    history_reach,
    sliding_windows,
)
from sklstm.windows._windows import Windows


@validate_params(
    {
        "X": ["array-like"],
        "y": ["array-like", None],
        "seq_length": [at_least(1)],
        "horizon": [at_least(0)],
        "groups": [str, Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def make_windows(
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    seq_length: int = 10,
    horizon: int = 1,
    groups: str | int | None = None,
) -> tuple[NDArray | Windows, NDArray]:
    """Cut a series into complete windows and their targets.

    Use it to train on windows outside a Pipeline. It returns the
    ``n_samples - seq_length - horizon + 1`` windows whose steps are all known, each with
    the value that it predicts. In a Pipeline use :class:`WindowTransformer`, which keeps
    the number of rows and lets `seq_length` be tuned.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples,)
        Series, one row per step, in time order. A 1-D series has one feature.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets, one for each row of `X`. By default, the series itself.

    seq_length : int, default=10
        Number of steps in each window.

    horizon : int, default=1
        Number of steps from the last step of the window to its target: 1 is the next step,
        0 the last step of the window itself.

    groups : str or int, default=None
        What tells several series in `X` apart: the name of a level of the index or of a
        column, or the position of a column. Windows do not hold that column.

    Returns
    -------
    windows : ndarray of shape (n_windows, seq_length, n_features)
        Windows, as a read-only view of one copy of the series, or of `X` itself if it is a
        large :class:`numpy.memmap`. With `groups`,
        `Windows`, in the order of the rows of `X`.

    targets : ndarray of shape (n_windows,) or (n_windows, n_outputs)
        Target of each window.

    Raises
    ------
    TypeError
        If `X` or `y` is sparse or holds times.

    ValueError
        If there are too few rows for one window; if `X` or `y` holds NaN, inf or masked
        values; if `y` has another length than `X`, or its labels in another order; if the
        index of either is not in time order, or holds several series without `groups`; or
        if `groups` names no level and no column.

    Warns
    -----
    UserWarning
        If labels are missing between rows, so that windows reach across the hole; or if the
        labels are neither times nor numbers, so that the index is not used.

    See Also
    --------
    WindowTransformer : Keeps the number of rows, for use in a Pipeline.

    Examples
    --------
    >>> from sklstm import make_windows
    >>> windows, targets = make_windows([0.0, 1.0, 2.0, 3.0], seq_length=2)
    >>> windows[:, :, 0]
    array([[0., 1.],
           [1., 2.]])
    >>> targets
    array([2., 3.])
    >>> make_windows([0.0, 1.0], seq_length=2)
    Traceback (most recent call last):
    ...
    ValueError: seq_length=2 with horizon=1 needs at least 3 rows to make one complete...
    """
    seq_length, horizon = int(seq_length), int(horizon)
    if groups is not None:
        return _windows_of_series(X, y, groups, seq_length=seq_length, horizon=horizon)
    series, targets = check_series_and_targets(X, y)
    check_enough_rows(len(series), seq_length=seq_length, horizon=horizon)
    reach = history_reach(seq_length, horizon)
    for name, labels in zip("Xy", check_row_labels(X, y, n_rows=len(series)), strict=True):
        holes = own_holes(labels, own_spacing(labels)).seen_from(reach)
        warn_of_holes(
            holes,
            n_rows=len(series) - reach,
            n_past=reach,
            seq_length=seq_length,
            horizon=horizon,
            name=name,
        )
    read = series[: len(series) - horizon]
    windows = sliding_windows(read if is_mapped(series) else read.copy(), seq_length)
    return windows, targets[reach:].copy()


def _windows_of_series(
    X: ArrayLike,
    y: ArrayLike | None,
    groups: str | int,
    *,
    seq_length: int,
    horizon: int,
) -> tuple[Windows, NDArray]:
    table = GroupedTable.of(X, groups)
    series, targets = check_series_and_targets(table.X, y)
    check_same_order(X, y)
    many = ManySeries(seq_length, horizon, context="never", cuts=False)
    panel, missing = many.read(table.keys, table.index, table_index(y))[:2]
    check_enough_rows(int(panel.counts.max()), seq_length=seq_length, horizon=horizon)
    windows = many.fitted_windows(series, panel, missing)
    is_complete = windows.n_known == seq_length
    return windows.rows(is_complete), targets[is_complete]
