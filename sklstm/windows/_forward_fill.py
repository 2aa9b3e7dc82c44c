"""ForwardFill: missing values filled from earlier rows, across the edge of a fold."""

from dataclasses import replace
from numbers import Integral
from typing import ClassVar, Literal, Self, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklstm._sklearn_compat import (
    StrOptions,
    at_least,
    check_feature_names_in,
    fit_context,
    output_container,
)
from sklstm._storage._checksum import (
    MALFORMED,
    damage_error,
    verify_checksum,
    with_checksum,
)
from sklstm._types import Passed, State
from sklstm.windows._by_series import ManySeries
from sklstm.windows._checks import check_parameter_of_fit, check_same_order
from sklstm.windows._continuation import FirstRows
from sklstm.windows._filling import Filling, LastKnown
from sklstm.windows._fitted_series import FittedSeries
from sklstm.windows._groups import GroupedTable
from sklstm.windows._labels import table_index
from sklstm.windows._one_series import FittedOneSeries, OneSeries
from sklstm.windows._series_checks import check_grouped_series, check_series

# Attributes that `fit` sets. A saved transformer may hold no others.
FITTED = (
    "last_values_",
    "steps_since_",
    "series_",
    "_fitted_groups",
    "_first_rows",
    "_last_labels",
    "_series_state",
)
# Prefixes of the names of added columns; the first is that of SimpleImputer.
INDICATORS = ("missingindicator", "steps_since")


class FittedGroups(TypedDict):
    """The parameter `groups` of the fit, and the position of the column that it names."""

    groups: str | int | None
    column: int | None


class ForwardFill(TransformerMixin, BaseEstimator):
    """Fill missing values with the last value known in an earlier row.

    Use it as a step of a :class:`~sklearn.pipeline.Pipeline` before the scaler and the
    :class:`WindowTransformer`. Each NaN is replaced by the value of the nearest earlier row
    of its column that has one. No later row is read, so that nothing leaks from the future.

    `fit` remembers the last known value of each column. In `transform`, rows that continue
    the fitted series start from it, so that the first rows of a test fold are filled as if
    the whole series had been filled at once. NaN before the first known value remain.

    Parameters
    ----------
    limit : int, default=None
        Greatest number of steps over which a value is carried forward. A NaN that is
        further away from the last known value remains; cut windows there with
        ``WindowTransformer(missing="cut")``. Labels that an evenly spaced index leaves out
        count as steps. None carries values forward without end.

    add_indicator : bool, default=False
        Whether to add two columns for each column: whether its value was missing (1.0) or
        not (0.0), and the number of steps since it was last known, which is 0.0 where it is
        known and NaN where it never was. A network can learn from them how much to trust a
        value.

    groups : str or int, default=None
        What tells several series in one table apart: the name of a level of the index or of
        a column, or the position of a column, as in :class:`WindowTransformer`. Values are
        then never carried from one series into another. The column stays in its place. None
        reads the table as one series.

    context : {"auto", "always", "never"}, default="auto"
        Whether the rows given to `transform` continue the fitted series, by the rules of
        :class:`WindowTransformer`.

    Attributes
    ----------
    last_values_ : ndarray of shape (n_features,) or (n_series, n_features)
        Last known value of each column in the fitted series, NaN if there is none. With
        `groups`, of each series, without the column that names it.

    steps_since_ : ndarray of shape (n_features,) or (n_series, n_features)
        Number of steps from there to the last fitted row.

    series_ : ndarray of shape (n_series,)
        Names of the fitted series. Defined only with `groups`.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names
        that are all strings.

    See Also
    --------
    WindowTransformer : With ``missing="cut"``, windows begin after missing steps instead.
    sklearn.impute.SimpleImputer : Fills with a constant, such as the mean of the training
        rows.

    Notes
    -----
    :meth:`pandas.DataFrame.ffill` fills a whole table in the same way. Inside a Pipeline it
    would leave the first rows of each test fold unfilled, since it does not know the rows
    before them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import ForwardFill
    >>> X = np.array([[1.0], [np.nan], [3.0], [np.nan]])
    >>> fill = ForwardFill().fit(X)
    >>> fill.transform([[np.nan], [5.0]])  # these rows follow the fitted ones
    array([[3.],
           [5.]])

    With the columns that tell whether and how long a value was missing:

    >>> fill = ForwardFill(add_indicator=True)
    >>> fill.fit_transform(X)
    array([[1., 0., 0.],
           [1., 1., 1.],
           [3., 0., 0.],
           [3., 1., 1.]])
    >>> fill.get_feature_names_out(["rain"])
    array(['rain', 'missingindicator_rain', 'steps_since_rain'], dtype=object)

    A value that is too old is not carried any further. Windows refuse what is left:

    >>> from sklstm import WindowTransformer
    >>> filled = ForwardFill(limit=1).fit_transform([[1.0], [np.nan], [np.nan]])
    >>> WindowTransformer(seq_length=2).fit(filled)
    Traceback (most recent call last):
    ...
    ValueError: X holds NaN in row 2; a window needs every step...
    """

    _parameter_constraints: ClassVar[dict] = {
        "limit": [at_least(1), None],
        "add_indicator": ["boolean"],
        "groups": [str, Integral, None],
        "context": [StrOptions({"auto", "always", "never"})],
    }

    def __init__(
        self,
        *,
        limit: int | None = None,
        add_indicator: bool = False,
        groups: str | int | None = None,
        context: Literal["auto", "always", "never"] = "auto",
    ) -> None:
        self.limit = limit
        self.add_indicator = add_indicator
        self.groups = groups
        self.context = context

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Remember the last known value of each column.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Series, one row per step, in time order. NaN stand for missing values.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. Only their index is read, to check the order of the rows.

        Returns
        -------
        self : ForwardFill
            The fitted transformer.

        Raises
        ------
        TypeError
            If `X` is sparse or holds times.

        ValueError
            If `X` holds inf or masked values; if its index, or that of `y`, is not in time
            order, repeats a label or holds several series that `groups` does not tell
            apart; if `groups` names no level and no column, or both; or if `y` has the
            labels of `X` in another order.

        Warns
        -----
        UserWarning
            If the labels are neither times nor numbers, so that the index is not used.
        """
        self._fit(X, y)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None) -> NDArray:
        """Fit on a series and fill it, from its own rows alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Series, one row per step, in time order. NaN stand for missing values.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. Only their index is read, to check the order of the rows.

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features_out)
            Filled rows, in the columns of `get_feature_names_out`.

        Raises
        ------
        TypeError
            As in `fit`.

        ValueError
            As in `fit`.

        Warns
        -----
        UserWarning
            As in `fit`.
        """
        return self._fit(X, y)

    def transform(self, X: ArrayLike) -> NDArray:
        """Fill rows, the first ones from the fitted series if they continue it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows in time order. NaN stand for missing values.

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features_out)
            Filled rows, in the columns of `get_feature_names_out`. NaN remain before the
            first known value and beyond `limit`.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.

        TypeError
            As in `fit`.

        ValueError
            As in `fit`; also if `X` has another number of features than in `fit`, or if
            `groups` has been changed since `fit`.

        Warns
        -----
        UserWarning
            If steps are missing between the fitted series and `X` whose number is not
            known; or if the index is not used, because its labels have no order or are of
            another kind than the fitted ones.
        """
        check_is_fitted(self)
        self._validate_params()
        fitted = self._fitted_groups
        check_parameter_of_fit("groups", self.groups, fitted["groups"])
        if self.groups is None:
            rows = check_series(self, X, reset=False, allow_nan=True)
            missing, continues = self._one_series().steps_before(
                self._fitted_one(), rows, X
            )
            past = self._last_known().of(np.zeros(1, dtype=int), np.array([continues]))
            return self._filled(_one(rows, missing, past))[0]
        rows, table = check_grouped_series(
            self, X, self.groups, reset=False, allow_nan=True
        )
        later = self._many_series().later(
            self._fitted_many(), rows, table.keys, table.index
        )
        past = self._last_known().of(later.numbers, later.follows)
        panel = later.panel
        counts = panel.counts.astype(np.int64)
        filling = Filling(panel.by_series(rows), counts, later.missing, past)
        return self._with_keys(X, table, self._filled(filling)[0][panel.places])

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Return the names of the columns of the output.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,), default=None
            Names of the features. By default, those seen in `fit`.

        Returns
        -------
        names : ndarray of str objects of shape (n_features_out,)
            The names of the features. With ``add_indicator=True`` also names such as
            ``missingindicator_x0``, of all features, and then such as ``steps_since_x0``.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.

        ValueError
            If `input_features` are not the names seen in `fit`.
        """
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        if not self.add_indicator:
            return names
        column = self._fitted_groups["column"]
        filled = names if column is None else np.delete(names, column)
        added = [
            f"{kind}_{x}" for kind in ("missingindicator", "steps_since") for x in filled
        ]
        return np.array([*names, *added], dtype=object)

    def _fit(self, X: ArrayLike, y: ArrayLike | None) -> NDArray:
        """Fit, and return the filled rows."""
        return self._fit_one(X, y) if self.groups is None else self._fit_many(X, y)

    def _fit_one(self, X: ArrayLike, y: ArrayLike | None) -> NDArray:
        rows = check_series(self, X, reset=True, allow_nan=True)
        fitted, missing = self._one_series().fit(rows, X, y)
        nothing = LastKnown.nothing(1, rows.shape[1])
        output, last = self._filled(_one(rows, missing, nothing))
        self._forget()
        self.last_values_, self.steps_since_ = last.values[0], last.ages[0]
        self._first_rows = fitted.first_rows.state()
        self._last_labels = None if fitted.labels is None else fitted.labels.state()
        self._fitted_groups = FittedGroups(groups=None, column=None)
        return output

    def _fit_many(self, X: ArrayLike, y: ArrayLike | None) -> NDArray:
        assert self.groups is not None
        rows, table = check_grouped_series(self, X, self.groups, reset=True, allow_nan=True)
        check_same_order(X, y)
        fitted, panel, missing = self._many_series().fit(
            rows, table.keys, table.index, table_index(y)
        )
        nothing = LastKnown.nothing(len(panel), rows.shape[1])
        counts = panel.counts.astype(np.int64)
        filling = Filling(panel.by_series(rows), counts, missing, nothing)
        by_series, last = self._filled(filling)
        output = self._with_keys(X, table, by_series[panel.places])
        self._forget()
        self.series_ = fitted.names
        self.last_values_, self.steps_since_ = last.values, last.ages
        nothing_missing = np.zeros(len(panel), dtype=np.int64)
        fitted = replace(fitted, context=last.values, missing=nothing_missing)
        self._series_state = fitted.state()
        self._fitted_groups = FittedGroups(groups=self.groups, column=table.column)
        return output

    def _forget(self) -> None:
        """Remove what an earlier fit with other parameters has set."""
        for name in ("series_", "_series_state", "_first_rows", "_last_labels"):
            self.__dict__.pop(name, None)

    def _filled(self, filling: Filling) -> tuple[NDArray, LastKnown]:
        """Return the columns of the output, and the last known values."""
        limit = None if self.limit is None else int(self.limit)
        values, ages, last = filling.filled(limit)
        if self.add_indicator:
            was_missing = np.isnan(filling.rows)
            values = np.hstack([values, was_missing, ages]).astype(values.dtype, copy=False)
        return values, last

    def _with_keys(self, X: Passed, table: GroupedTable, filled: NDArray) -> Passed:
        """Put the column that names the series back into its place."""
        if table.column is None:
            return filled
        if output_container(self) == "default":
            keys = np.asarray(table.keys)
            if keys.dtype.kind not in "biuf":
                filled, keys = filled.astype(object), keys.astype(object)
            return np.insert(filled, table.column, keys, axis=1)
        is_pandas = isinstance(X, pd.DataFrame)
        keys = X.iloc[:, table.column].array if is_pandas else table.keys.array
        # set_output leaves a table the index it has.
        frame = pd.DataFrame(filled, index=X.index if is_pandas else None)
        frame.insert(table.column, "keys", keys)
        return frame

    def _one_series(self) -> OneSeries:
        # Windows of one step, which count missing steps by the labels.
        return OneSeries(1, 1, context=self.context, cuts=True, copies=True)

    def _many_series(self) -> ManySeries:
        return ManySeries(1, 1, context=self.context, cuts=True)

    def _last_known(self) -> LastKnown:
        return LastKnown(np.atleast_2d(self.last_values_), np.atleast_2d(self.steps_since_))

    def _fitted_one(self) -> FittedOneSeries:
        return FittedOneSeries.from_state(
            np.atleast_2d(self.last_values_), None, self._first_rows, self._last_labels
        )

    def _fitted_many(self) -> FittedSeries:
        return FittedSeries.from_state(self.series_, self.last_values_, self._series_state)

    def __getstate__(self) -> State:
        state = dict(super().__getstate__())
        return with_checksum(state, type(self), base=ForwardFill, fitted=FITTED)

    def __setstate__(self, state: State) -> None:
        packages = ["sklstm", "scikit-learn"]
        state = verify_checksum(
            state, type(self), base=ForwardFill, fitted=FITTED, packages=packages
        )
        super().__setstate__(state)
        if "last_values_" in state:
            try:
                self._check_state()
            except MALFORMED as error:
                raise damage_error(type(self).__name__, str(error)) from error

    def _check_state(self) -> None:
        if self._fitted_groups["groups"] is None:
            FirstRows.from_state(self._first_rows)
            self._fitted_one().check(allow_nan=True)
        else:
            self._fitted_many().check(allow_nan=True)
        if np.shape(self.steps_since_) != np.shape(self.last_values_):
            raise ValueError("its last values and their ages do not match")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _one(rows: NDArray, missing: NDArray[np.int64], past: LastKnown) -> Filling:
    return Filling(rows, np.array([len(rows)]), missing, past)
