"""WindowTransformer: windows in a Pipeline, one for each row."""

from collections.abc import Callable
from numbers import Integral
from typing import ClassVar, Literal, Self, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklstm._sklearn_compat import (
    CallbackSupportMixin,
    StrOptions,
    at_least,
    check_feature_names_in,
    fit_context,
    with_callbacks,
)
from sklstm._storage._checksum import (
    MALFORMED,
    damage_error,
    verify_checksum,
    with_checksum,
)
from sklstm._types import State
from sklstm.windows._by_series import ManySeries
from sklstm.windows._checks import (
    check_parameter_of_fit,
    check_same_order,
    check_window_lengths,
)
from sklstm.windows._continuation import FirstRows
from sklstm.windows._fitted_series import FittedSeries
from sklstm.windows._groups import GroupedTable
from sklstm.windows._holes import FittedLabels
from sklstm.windows._labels import table_index
from sklstm.windows._one_series import FittedOneSeries, OneSeries
from sklstm.windows._requests import request_for
from sklstm.windows._series_checks import check_grouped_series, check_series
from sklstm.windows._views import flat_windows, history_reach
from sklstm.windows._windows import Windows

# Attributes that `fit` sets. A saved transformer may hold no others.
FITTED = (
    "context_",
    "series_",
    "_first_rows",
    "_last_labels",
    "_fitted_lengths",
    "_fitted_options",
    "_missing_steps",
    "_series_state",
)

WindowsOf = Callable[[], NDArray | Windows]


class Lengths(TypedDict):
    """Parameters that decide which steps are in the window of a row."""

    seq_length: int
    horizon: int


class Options(TypedDict):
    """Parameters that decide which rows are one series, and where windows are cut."""

    groups: str | int | None
    missing: str
    column: int | None  # position of the column that `groups` names


class WindowTransformer(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Cut a time series into windows, one for each row.

    Use it as a step of a :class:`~sklearn.pipeline.Pipeline`, before an
    :class:`LSTMRegressor` or, with ``flatten=True``, before any other regressor. It returns
    one window per row, so `y` stays aligned with `X`: scorers, splitters and searches of
    scikit-learn work unchanged, windows are cut separately in each fold, and `seq_length`
    can be tuned.

    Row ``t`` of the output holds the steps ``t - horizon - seq_length + 1`` to
    ``t - horizon`` of `X`, so that the regressor learns ``y[t]`` from what was known
    `horizon` steps earlier. To predict a series from its own past, pass
    ``X = series[:, None]`` and ``y = series`` with ``horizon=1``.

    `fit` remembers the last steps of the series, the *context*. In `transform`, the windows
    of the first rows reach back into it if the rows continue the series, so that a test
    fold loses no rows at its start. Steps that are not known are NaN. They occur only at
    the start of a window and are never filled from the future.

    Parameters
    ----------
    seq_length : int, default=10
        Number of steps in each window. Longer windows show more of the past and leave fewer
        complete windows to train on. The time to train grows in proportion to it; the
        memory does not.

    horizon : int, default=1
        Number of steps from the last step of the window to the row that it predicts. 1
        predicts the next step, higher values predict further ahead. With 0, the row itself
        is part of its window: use it for inputs that are available at prediction time, such
        as a weather forecast when predicting electricity demand for the same hour.

    context : {"auto", "always", "never"}, default="auto"
        Whether the rows given to `transform` continue the fitted series.

        - "auto" decides from the index or, without one, from the values.

          With an index of times, periods, durations or numbers on both, rows continue the
          series if their first label is the step after the last fitted one. They do not
          continue it if that label lies inside the fitted span or before it, or if steps
          are missing in between, which is a warning. Nights, weekends and up to four
          holidays in a row do not count as missing. A default index that counts from 0
          again, such as that of a second file, is treated as no index.

          Without an index, as for arrays, rows continue the series unless they start with
          the same rows as the fitted series. Then they are taken for the fitted series
          itself, as in a score on the training rows. Enough first rows are compared for the
          probability that later rows repeat them to be below 1e-6; two or three are enough
          for values that hardly ever repeat. Features that repeat themselves, such as the
          hour of the day or a constant, do not show where the series started. Rows with no
          other features are taken to continue it, unless they are all of the fitted rows
          and their repetition visibly breaks off between the last and the first of them.
          The fitted series is not recognised either if an earlier step of the Pipeline
          computes the training rows differently in `fit_transform` and `transform`, by more
          than rounding errors, as :class:`~sklearn.preprocessing.TargetEncoder` and
          :class:`~sklearn.decomposition.NMF` do.
        - "always" and "never" hold whatever the index and the values are.

    groups : str or int, default=None
        What tells several series in one table apart: the name of a level of the index or of
        a column, or the position of a column. Windows then never reach from one series into
        another; each series has its own context, and its own answer to whether rows
        continue it. The rows of a series may lie anywhere in the table, in time order. A
        series that was not fitted has no past. The column is not in the windows, but it
        counts in `n_features_in_`. None reads the table as one series.

    missing : {"error", "cut"}, default="error"
        What happens at steps that are missing inside a series.

        - "error" raises an error where `X` holds NaN, and warns where windows reach across
          labels that the index leaves out.
        - "cut" counts steps by their labels, where they have a common spacing, and lets
          each window begin after the last missing step that it reaches. The steps before it
          are NaN, as before the start of a series. A row with NaN in any feature counts as
          missing. Training then leaves out the windows that are cut, and `predict` uses
          the steps that they know. Nothing is filled in.

    flatten : bool, default=False
        Whether to return the windows as rows of a table of ``seq_length * n_features``
        columns, oldest step first, for regressors that take 2-D input.

    Attributes
    ----------
    context_ : ndarray of shape (n_known, n_features)
        Last ``seq_length + horizon - 1`` steps of the fitted series, or all of its steps if
        there are fewer. With `groups`, those of each series in turn, in the order of
        `series_`.

    series_ : ndarray of shape (n_series,)
        Names of the fitted series. Defined only with `groups`.

    n_features_in_ : int
        Number of features seen during :term:`fit`, with the column of `groups`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names
        that are all strings.

    See Also
    --------
    LSTMRegressor : Predicts from these windows, including incomplete ones.
    make_windows : Returns complete windows and their targets, outside a Pipeline.

    Notes
    -----
    The output is a read-only view of one copy of the series, so that it takes no more
    memory for longer windows. Windows of several series, and those that missing steps cut,
    are no single view: then the output is `Windows`, which shares one copy of the
    steps between all rows. A large :class:`numpy.memmap` is not copied at all, except with
    ``flatten=True``; its windows are `Windows` too. :class:`LSTMRegressor` reads them as
    they are; anything else gets an array from them.

    Windows are cut by counting rows. The index is only used to check that the rows are
    consecutive steps in time order: labels that repeat or do not increase are an error, and
    missing labels are a warning, unless ``missing="cut"`` counts them as steps. An
    earlier step of a Pipeline may drop the index of `X`,
    as :class:`~sklearn.preprocessing.StandardScaler` does. Then `fit` reads the index of
    `y` instead; call ``set_output(transform="pandas")`` on the Pipeline to keep that of
    `X`. A MultiIndex that holds several series is an error without `groups`. Integers that
    only number the rows of a table of several series are not used as labels.

    Changing `seq_length`, `horizon`, `groups` or `missing` after `fit` is an error in
    `transform`. Call `fit` again.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import WindowTransformer
    >>> series = np.arange(6.0)[:, None]
    >>> windows = WindowTransformer(seq_length=2)
    >>> windows.fit_transform(series[:4])[:, :, 0]
    array([[nan, nan],
           [nan,  0.],
           [ 0.,  1.],
           [ 1.,  2.]])

    The windows of the rows that follow reach back into the fitted rows:

    >>> windows.transform(series[4:])[:, :, 0]
    array([[2., 3.],
           [3., 4.]])

    Several series in one table, told apart by a column:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"shop": list("aabab"), "sold": [1.0, 2.0, 10.0, 3.0, 20.0]})
    >>> windows = WindowTransformer(seq_length=2, groups="shop").fit_transform(table)
    >>> np.asarray(windows)[:, :, 0]
    array([[nan, nan],
           [nan,  1.],
           [nan, nan],
           [ 1.,  2.],
           [nan, 10.]])

    A regressor that does not accept NaN can only be fitted on the complete rows:

    >>> from sklearn.linear_model import LinearRegression
    >>> table = WindowTransformer(seq_length=2, flatten=True).fit_transform(series)
    >>> LinearRegression().fit(table, series[:, 0])
    Traceback (most recent call last):
    ...
    ValueError: Input X contains NaN...
    >>> regressor = LinearRegression().fit(table[2:], series[2:, 0])
    >>> regressor.predict([[6.0, 7.0]]).round(6)
    array([8.])
    """

    _parameter_constraints: ClassVar[dict] = {
        "seq_length": [at_least(1)],
        "horizon": [at_least(0)],
        "context": [StrOptions({"auto", "always", "never"})],
        "groups": [str, Integral, None],
        "missing": [StrOptions({"error", "cut"})],
        "flatten": ["boolean"],
    }

    def __init__(
        self,
        seq_length: int = 10,
        *,
        horizon: int = 1,
        context: Literal["auto", "always", "never"] = "auto",
        groups: str | int | None = None,
        missing: Literal["error", "cut"] = "error",
        flatten: bool = False,
    ) -> None:
        self.seq_length = seq_length
        self.horizon = horizon
        self.context = context
        self.groups = groups
        self.missing = missing
        self.flatten = flatten

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Remember the last steps of a series, and how to recognise rows that continue it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Series, one row per step, in time order.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. Only their index is read, to check the order of the rows.

        Returns
        -------
        self : WindowTransformer
            The fitted transformer.

        Raises
        ------
        TypeError
            If `X` is sparse or holds times.

        ValueError
            If `X` holds inf or masked values, or NaN without ``missing="cut"``; if its
            index, or that of `y`, is not in time order, repeats a label or holds several
            series that `groups` does not tell apart; if `groups` names no level and no
            column, or both; or if `y` has the labels of `X` in another order.

        Warns
        -----
        UserWarning
            If labels are missing between rows, so that windows reach across the hole; or if
            the labels are neither times nor numbers, so that the index is not used.
        """
        self._remember(X, y)
        return self

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None) -> NDArray | Windows:
        """Fit on a series and return its windows, which hold no earlier context.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Series, one row per step, in time order.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. Only their index is read, to check the order of the rows.

        Returns
        -------
        windows : ndarray or Windows of shape (n_samples, seq_length, n_features)
            Read-only windows, with NaN for the steps before the first row of a series, or
            before a missing step. With ``flatten=True``, an ndarray of shape (n_samples,
            seq_length * n_features).

        Raises
        ------
        TypeError
            As in `fit`.

        ValueError
            As in `fit`; also if windows reach back so far that the unknown steps before the
            series would not fit into memory.

        Warns
        -----
        UserWarning
            As in `fit`.
        """
        windows_of = self._remember(X, y)
        return self._output(windows_of())

    def transform(self, X: ArrayLike) -> NDArray | Windows:
        """Return the window of each row.

        The windows of the first rows reach back into the fitted series, if `X` continues
        it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows in time order. The parameter `context` decides whether they continue the
            fitted series.

        Returns
        -------
        windows : ndarray or Windows of shape (n_samples, seq_length, n_features)
            Read-only windows, with NaN for the steps that are not known. With
            ``flatten=True``, an ndarray of shape (n_samples, seq_length * n_features).

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.

        TypeError
            As in `fit`.

        ValueError
            As in `fit_transform`; also if `X` has another number of features than in `fit`,
            or if `seq_length`, `horizon`, `groups` or `missing` has been changed since
            `fit`.

        Warns
        -----
        UserWarning
            If steps are missing between the fitted series and `X`; if windows reach across
            labels that are missing in `X` or near the end of the fitted rows; or if the
            index is not used, because its labels have no order or are of another kind than
            the fitted ones.
        """
        check_is_fitted(self)
        self._validate_params()
        self._check_parameters_of_fit()
        if self.groups is not None:
            return self._output(self._windows_by_series(X))
        series = check_series(self, X, reset=False, allow_nan=self.missing == "cut")
        request = request_for(self)
        if request is not None:
            found = self._one_series().answer(self._fitted_one(), series, X, request)
            return self._output(found)
        check_window_lengths(**self._lengths(), series=series)
        return self._output(self._one_series().transform(self._fitted_one(), series, X))

    @available_if(lambda self: self.flatten)
    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Return the names of the columns of flat windows; only with ``flatten=True``.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,), default=None
            Names of the features. By default, those seen in `fit`.

        Returns
        -------
        names : ndarray of str objects of shape (seq_length * n_features,)
            Names such as ``x0_lag3``, which is the feature ``x0`` three steps before the
            row.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.

        ValueError
            If `input_features` are not the names seen in `fit`, or if `seq_length` or
            `horizon` has been changed since.
        """
        check_is_fitted(self)
        self._check_parameters_of_fit()
        names = check_feature_names_in(self, input_features)
        column = self._options()["column"]
        names = names if column is None else np.delete(names, column)
        reach = history_reach(int(self.seq_length), int(self.horizon))
        lags = range(reach, self.horizon - 1, -1)
        return np.array([f"{x}_lag{lag}" for lag in lags for x in names], dtype=object)

    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Set the container of flat windows; 3-D windows are always arrays.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Container for the output of `transform` and `fit_transform`. None leaves it
            unchanged.

        Returns
        -------
        self : WindowTransformer
            The transformer itself.
        """
        # scikit-learn only offers set_output where get_feature_names_out is defined, and a
        # Pipeline refuses a step without it. The setting is stored for when `flatten` is
        # set.
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _remember(self, X: ArrayLike, y: ArrayLike | None) -> WindowsOf:
        """Fit, and report it to scikit-learn's callbacks as one task.

        Return a function that returns the windows of the fitted rows.
        """
        task = self._init_callback_context()
        task.call_on_fit_task_begin(estimator=self, X=X, y=y)
        remember = self._remember_one if self.groups is None else self._remember_series
        windows_of = remember(X, y)
        self._fitted_lengths = self._lengths()
        task.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return windows_of

    def _remember_one(self, X: ArrayLike, y: ArrayLike | None) -> WindowsOf:
        series = check_series(self, X, reset=True, allow_nan=self.missing == "cut")
        one = self._one_series()
        fitted, missing = one.fit(series, X, y)
        self._forget()
        self.context_ = fitted.context
        self._missing_steps = fitted.missing if self.missing == "cut" else None
        self._first_rows = fitted.first_rows.state()
        self._last_labels = None if fitted.labels is None else fitted.labels.state()
        self._keep_options(None)

        def windows_of() -> NDArray | Windows:
            check_window_lengths(**self._lengths(), series=series)
            return one.windows(series, missing)

        return windows_of

    def _remember_series(self, X: ArrayLike, y: ArrayLike | None) -> WindowsOf:
        assert self.groups is not None
        rows, table = self._check_table(X, reset=True)
        check_same_order(X, y)
        many, target_index = self._many_series(), table_index(y)
        fitted, panel, missing = many.fit(rows, table.keys, table.index, target_index)
        self._forget()
        self.series_, self.context_ = fitted.names, fitted.context
        self._series_state = fitted.state()
        self._keep_options(table.column)

        def windows_of() -> Windows:
            check_window_lengths(**self._lengths(), series=rows)
            return many.fitted_windows(rows, panel, missing)

        return windows_of

    def _keep_options(self, column: int | None) -> None:
        options: Options = {
            "groups": self.groups,
            "missing": self.missing,
            "column": column,
        }
        self._fitted_options = options

    def _forget(self) -> None:
        """Remove what an earlier fit with other parameters has set."""
        for name in ("series_", "_series_state", "_first_rows", "_last_labels"):
            self.__dict__.pop(name, None)

    def _check_table(self, X: ArrayLike, *, reset: bool) -> tuple[NDArray, GroupedTable]:
        assert self.groups is not None
        return check_grouped_series(
            self, X, self.groups, reset=reset, allow_nan=self.missing == "cut"
        )

    def _one_series(self) -> OneSeries:
        return OneSeries(
            **self._lengths(),
            context=self.context,
            cuts=self.missing == "cut",
            copies=bool(self.flatten),
        )

    def _many_series(self) -> ManySeries:
        return ManySeries(
            **self._lengths(), context=self.context, cuts=self.missing == "cut"
        )

    def _fitted_one(self) -> FittedOneSeries:
        return FittedOneSeries.from_state(
            self.context_,
            getattr(self, "_missing_steps", None),
            self._first_rows,
            self._last_labels,
        )

    def _windows_by_series(self, X: ArrayLike) -> NDArray | Windows:
        """Return the windows of later rows of several series."""
        rows, table = self._check_table(X, reset=False)
        check_window_lengths(**self._lengths(), series=rows)
        many, fitted, request = self._many_series(), self._fitted_many(), request_for(self)
        if request is not None:
            return many.answer(fitted, rows, table.keys, table.index, request)
        return many.transform(fitted, rows, table.keys, table.index)

    def _fitted_many(self) -> FittedSeries:
        return FittedSeries.from_state(self.series_, self.context_, self._series_state)

    def _lengths(self) -> Lengths:
        return {"seq_length": int(self.seq_length), "horizon": int(self.horizon)}

    def _check_parameters_of_fit(self) -> None:
        fitted = self._fitted_lengths
        check_parameter_of_fit("seq_length", int(self.seq_length), fitted["seq_length"])
        check_parameter_of_fit("horizon", int(self.horizon), fitted["horizon"])
        options = self._options()
        check_parameter_of_fit("groups", self.groups, options["groups"])
        check_parameter_of_fit("missing", self.missing, options["missing"])

    def _options(self) -> Options:
        # Models that were saved before there were these parameters have no options.
        defaults: Options = {"groups": None, "missing": "error", "column": None}
        return getattr(self, "_fitted_options", defaults)

    def _fitted_labels(self) -> FittedLabels | None:
        state = self.__dict__.get("_last_labels")
        return None if state is None else FittedLabels.from_state(state)

    def _output(self, windows: NDArray | Windows) -> NDArray | Windows:
        return flat_windows(np.asarray(windows)) if self.flatten else windows

    def __getstate__(self) -> State:
        state = dict(super().__getstate__())
        return with_checksum(state, type(self), base=WindowTransformer, fitted=FITTED)

    def __setstate__(self, state: State) -> None:
        state = verify_checksum(
            state,
            type(self),
            base=WindowTransformer,
            fitted=FITTED,
            packages=["sklstm", "scikit-learn"],
        )
        super().__setstate__(state)
        if "context_" in state:
            try:
                is_many = "_series_state" in state
                if not is_many:
                    FirstRows.from_state(self._first_rows)
                fitted = self._fitted_many() if is_many else self._fitted_one()
                fitted.check(allow_nan=self._options()["missing"] == "cut")
                self._fitted_lengths = {
                    "seq_length": int(self._fitted_lengths["seq_length"]),
                    "horizon": int(self._fitted_lengths["horizon"]),
                }
            except MALFORMED as error:
                raise damage_error(type(self).__name__, str(error)) from error

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "cut"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
