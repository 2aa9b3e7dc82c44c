"""LagsToWindows: the tables of lags of forecasting tools, as windows."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from sklstm._arrays import reading
from sklstm._sklearn_compat import (
    StrOptions,
    at_least,
    check_feature_names_in,
    feature_names_of,
    fit_context,
)
from sklstm._storage._checksum import verify_checksum, with_checksum
from sklstm._types import State
from sklstm.windows._lag_columns import (
    LagLayout,
    check_known_lags,
    make_layout,
    take_columns,
)
from sklstm.windows._lag_names import check_lag_names, series_names


class LagsToWindows(
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Make windows of a table of lags, as forecasting tools hand it over.

    Use it as the step before an :class:`LSTMRegressor` in a Pipeline that is passed to
    skforecast, mlforecast, sktime's ``make_reduction`` or darts. These tools cut the lags
    themselves and pass a table, with a column for each lag and further columns for
    exogenous variables, encodings and date features. `LSTMRegressor` alone would read every
    column of it as a time step.

    `transform` returns windows of shape (n_samples, n_lags, n_series + n_other), the oldest
    step first. The columns that are no lags are repeated at every step. The transformer is
    stateless: `fit` only learns the columns.

    Parameters
    ----------
    n_lags : int
        Number of lags of each series, which is the number of steps in each window.

    order : {"newest", "oldest"}, default="newest"
        Which lag of a series stands first in the table. "newest" for ``lag_1, lag_2, …``,
        as skforecast and mlforecast write them; "oldest" for sktime's ``make_reduction``
        and darts.

    n_series : int or tuple of int, default=1
        Number of series that have lags. With a tuple, groups of so many series follow each
        other, each in the given `layout`: darts passes two target components and one past
        covariate as ``n_series=(2, 1)`` with ``layout="interleaved"``.

    layout : {"blocks", "interleaved"}, default="blocks"
        How the lags of several series are arranged. "blocks": all lags of the first series,
        then all of the second, as in skforecast's ``ForecasterDirectMultiVariate`` and in
        sktime. "interleaved": the first lag of every series, then the second of every
        series, as in darts and ``WindowTransformer(flatten=True)``.

    first_lag : int, str or tuple of these, default=0
        Position or name of the first lag column. Columns before it are repeated like those
        behind the lags. mlforecast puts static and exogenous columns before its lags: set
        ``first_lag="lag1"``. A tuple has a place for each series (with a tuple in
        `n_series`, for each group), where other columns stand between their lags:
        skforecast's ``ForecasterDirectMultiVariate`` of two series, with one window feature
        of each, needs ``n_series=2`` and ``first_lag=(0, n_lags + 1)``.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns of the table seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen during :term:`fit`. Defined only when `X` has column names
        that are all strings.

    See Also
    --------
    WindowTransformer : Cuts windows out of a series, where no other tool has made lags.
    LSTMRegressor : Predicts from these windows.

    Notes
    -----
    Lags may be NaN where they are not known yet. They must be the oldest ones, of all
    series alike. In the windows, the other columns are NaN at these steps too, since such a
    step counts as unknown only as a whole.

    If no column is repeated, the windows are a read-only view of the table and take no
    memory. Otherwise they are a copy, of ``n_samples * n_lags * (n_series + n_other)``
    values. A table of float32 gives windows of float32, at half of that.

    The lags need not be consecutive. The network reads lags 1, 2, 3 and 24 as four steps
    and is not told the time between them.

    Examples
    --------
    Two lags, the newest first, and a holiday flag:

    >>> import pandas as pd
    >>> from sklstm import LagsToWindows
    >>> table = pd.DataFrame(
    ...     {"lag_1": [2.0, 3.0], "lag_2": [1.0, 2.0], "holiday": [0.0, 1.0]}
    ... )
    >>> windows = LagsToWindows(2).fit(table)
    >>> windows.transform(table)
    array([[[1., 0.],
            [2., 0.]],
    <BLANKLINE>
           [[2., 1.],
            [3., 1.]]])
    >>> windows.get_feature_names_out()
    array(['lags', 'holiday'], dtype=object)

    Names that contradict the parameters are an error:

    >>> LagsToWindows(2, order="oldest").fit(table)
    Traceback (most recent call last):
    ...
    ValueError: The names of the lags, 'lag_1', 'lag_2', contradict order="oldest". Set...
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_lags": [at_least(1)],
        "order": [StrOptions({"newest", "oldest"})],
        "n_series": [at_least(1), tuple, list],
        "layout": [StrOptions({"blocks", "interleaved"})],
        "first_lag": [at_least(0), str, tuple, list],
    }

    def __init__(
        self,
        n_lags: int,
        *,
        order: Literal["newest", "oldest"] = "newest",
        n_series: int | tuple[int, ...] = 1,
        layout: Literal["blocks", "interleaved"] = "blocks",
        first_lag: int | str | tuple[int | str, ...] = 0,
    ) -> None:
        self.n_lags = n_lags
        self.order = order
        self.n_series = n_series
        self.layout = layout
        self.first_lag = first_lag

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Check the table, and learn the number and the names of its columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            Table of lags, and of columns to repeat at every step.

        y : None
            Ignored.

        Returns
        -------
        self : LagsToWindows
            The fitted transformer.

        Raises
        ------
        TypeError
            If `X` is sparse or holds times.

        ValueError
            If `X` has fewer columns than the lags take; if the names of its columns
            contradict `order` or `layout`, or do not hold `first_lag`; or if `X` holds inf,
            masked values, or NaN anywhere but in the oldest lags.

        Warns
        -----
        UserWarning
            If the names of the columns suggest that other columns are the lags, that they
            are in no order, or that there are more of them than `n_lags`.
        """
        names = feature_names_of(X)
        table = _read(self, X)
        self._check_columns_and_values(table, names)
        validate_data(self, X, skip_check_array=True)  # sets the attributes of the columns
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Return the windows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            Table of lags, and of columns to repeat at every step.

        Returns
        -------
        windows : ndarray of shape (n_samples, n_lags, n_series + n_other)
            Windows, the oldest step first. The lags of the series come first, then the
            other columns, in their order.

        Raises
        ------
        TypeError
            As in `fit`.

        ValueError
            As in `fit`; also if `X` has other columns than in `fit`.

        Warns
        -----
        UserWarning
            As in `fit`, if it was not called.
        """
        self._validate_params()
        is_fitted = hasattr(self, "n_features_in_")
        table = _read(self, X, is_fitted=is_fitted)
        if is_fitted:
            lags = self._fitted_lags()
            n_known = check_known_lags(
                table, lags, getattr(self, "feature_names_in_", None)
            )
        else:
            lags, n_known = self._check_columns_and_values(table, feature_names_of(X))
        windows = take_columns(table, lags.window_columns(table.shape[1]))
        # Without other columns, the steps that are not known are NaN as they are.
        has_others = windows.shape[2] > lags.n_series
        return _without_unknown_steps(windows, n_known) if has_others else windows

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Return the names of the features of each step, the last axis of the windows.

        Parameters
        ----------
        input_features : array-like of str of shape (n_columns,), default=None
            Names of the columns. By default, those seen in `fit`.

        Returns
        -------
        names : ndarray of str objects of shape (n_series + n_other,)
            For each series a name such as ``sales_lags``, made from those of its lags;
            ``lags``, or ``lags0``, ``lags1`` and so on, if these have no common name. Then
            the names of the other columns.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.

        ValueError
            If `input_features` are not the names seen in `fit`.
        """
        check_is_fitted(self, "n_features_in_")
        names = list(map(str, check_feature_names_in(self, input_features)))
        lags = self._lags(len(names), names)
        others = [names[column] for column in lags.other_columns(len(names))]
        return np.array([*series_names(names, lags), *others], dtype=object)

    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Do nothing: windows are always arrays.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored. It exists so that a Pipeline can set the container of its other steps.

        Returns
        -------
        self : LagsToWindows
            The transformer itself.
        """
        return self

    def _check_columns_and_values(
        self, table: NDArray, names: Sequence[str] | None
    ) -> tuple[LagLayout, NDArray[np.integer]]:
        """Return where the lags of a table stand, and how many of each row are known."""
        lags = self._lags(table.shape[1], names)
        if names is not None:
            check_lag_names(names, lags)
        return lags, check_known_lags(table, lags, names)

    def _fitted_lags(self) -> LagLayout:
        names = getattr(self, "feature_names_in_", None)
        return self._lags(self.n_features_in_, names)

    def _lags(self, n_columns: int, names: Sequence[str] | None) -> LagLayout:
        return make_layout(
            n_lags=int(self.n_lags),
            n_series=self.n_series,
            first_lag=self.first_lag,
            order=self.order,
            layout=self.layout,
            n_columns=n_columns,
            names=names,
        )

    def __getstate__(self) -> State:
        state = dict(super().__getstate__())
        return with_checksum(state, type(self), base=LagsToWindows, fitted=())

    def __setstate__(self, state: State) -> None:
        packages = ["sklstm", "scikit-learn"]
        state = verify_checksum(
            state, type(self), base=LagsToWindows, fitted=(), packages=packages
        )
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.requires_fit = False
        return tags


def _read(estimator: LagsToWindows, X: ArrayLike, *, is_fitted: bool = False) -> NDArray:
    """Return a table as floats; if fitted, check that it has the columns of the fit."""
    options = {"dtype": [np.float64, np.float32], "ensure_all_finite": False}
    with reading(X, "X"):
        if is_fitted:
            return validate_data(estimator, X, reset=False, **options)
        return check_array(X, estimator=estimator, input_name="X", **options)


def _without_unknown_steps(windows: NDArray, n_known: NDArray[np.integer]) -> NDArray:
    """Set all features of the steps that are not known to NaN."""
    seq_length = windows.shape[1]
    incomplete = np.flatnonzero(n_known < seq_length)
    if not incomplete.size:
        return windows
    if not windows.flags.writeable:
        windows = windows.copy()
    n_unknown = seq_length - n_known[incomplete]
    row, step = np.nonzero(np.arange(seq_length) < n_unknown[:, np.newaxis])
    windows[incomplete[row], step] = np.nan
    return windows
