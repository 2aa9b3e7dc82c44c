"""WindowTransformer: windows in a Pipeline, one for each row."""

from numbers import Integral
from typing import Any, ClassVar, Literal, Self, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklstm._sklearn_compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    check_feature_names_in,
    fit_context,
    with_callbacks,
)
from sklstm._storage._checksum import damage_error, verify_checksum, with_checksum
from sklstm.windows._checks import (
    check_context,
    check_known_past,
    check_labels,
    check_parameter_of_fit,
    check_row_labels,
    check_series,
    check_window_lengths,
    warn_of_gap,
    warn_of_holes,
    warn_of_other_kind,
)
from sklstm.windows._continuation import FirstRows
from sklstm.windows._holes import (
    FittedLabels,
    later_holes,
    own_holes,
    own_spacing,
    spacing_of_both,
)
from sklstm.windows._labels import Labels, table_index
from sklstm.windows._mapped import JoinedWindows, is_mapped
from sklstm.windows._requests import Request, request_for
from sklstm.windows._spacing import Spacing
from sklstm.windows._views import (
    flat_windows,
    history_reach,
    history_windows,
)
from sklstm.windows._windows import Windows

# Attributes that `fit` sets. A saved transformer may hold no others.
FITTED = ("context_", "_first_rows", "_last_labels", "_fitted_lengths")


class Lengths(TypedDict):
    """Parameters that decide which steps are in the window of a row."""

    seq_length: int
    horizon: int


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

    flatten : bool, default=False
        Whether to return the windows as rows of a table of ``seq_length * n_features``
        columns, oldest step first, for regressors that take 2-D input.

    Attributes
    ----------
    context_ : ndarray of shape (n_known, n_features)
        Last ``seq_length + horizon - 1`` steps of the fitted series, or all of its steps if
        there are fewer.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

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
    memory for longer windows. A large :class:`numpy.memmap` is not copied at all: the
    output is then an array-like of the type `Windows`, which :class:`LSTMRegressor` reads
    as it is. With ``flatten=True`` it is copied.

    Windows are cut by counting rows. The index is only used to check that the rows are
    consecutive steps in time order: labels that repeat or do not increase are an error, and
    missing labels are a warning. An earlier step of a Pipeline may drop the index of `X`,
    as :class:`~sklearn.preprocessing.StandardScaler` does. Then `fit` reads the index of
    `y` instead; call ``set_output(transform="pandas")`` on the Pipeline to keep that of
    `X`. A MultiIndex that holds several series is an error: fit each series separately.

    Changing `seq_length` or `horizon` after `fit` is an error in `transform`. Call `fit`
    again.

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
        "seq_length": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 0, None, closed="left")],
        "context": [StrOptions({"auto", "always", "never"})],
        "flatten": ["boolean"],
    }

    def __init__(
        self,
        seq_length: int = 10,
        *,
        horizon: int = 1,
        context: Literal["auto", "always", "never"] = "auto",
        flatten: bool = False,
    ) -> None:
        self.seq_length = seq_length
        self.horizon = horizon
        self.context = context
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
            If `X` holds NaN, inf or masked values; if its index, or that of `y`, is not in
            time order, repeats a label or holds several series; or if `y` has the labels of
            `X` in another order.

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
        windows : ndarray of shape (n_samples, seq_length, n_features)
            Read-only windows, with NaN for the steps before the first row. With
            ``flatten=True``, of shape (n_samples, seq_length * n_features).

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
        series = self._remember(X, y)
        return self._windows(series, past=series[:0])

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
        windows : ndarray of shape (n_samples, seq_length, n_features)
            Read-only windows, with NaN for the steps that are not known. With
            ``flatten=True``, of shape (n_samples, seq_length * n_features).

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.

        TypeError
            As in `fit`.

        ValueError
            As in `fit_transform`; also if `X` has another number of features than in `fit`,
            or if `seq_length` or `horizon` has been changed since `fit`.

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
        series = check_series(self, X, reset=False)
        request = request_for(self)
        if request is not None:
            return self._requested_windows(series, X, request)
        fitted = self._fitted_labels()
        labels = check_labels(X, like=fitted, warn=self.context == "auto")
        spacing = spacing_of_both(fitted, labels)
        past, holes = self.context_, later_holes(fitted, labels, spacing)
        if self._continues(series, labels, fitted, spacing):
            holes = holes.after(fitted)
        else:
            past = past[:0]
        warn_of_holes(holes, n_rows=len(series), n_past=len(past), **self._fitted_lengths)
        return self._windows(series, past)

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

    def _remember(self, X: ArrayLike, y: ArrayLike | None) -> NDArray:
        """Fit, and report it to scikit-learn's callbacks as one task."""
        task = self._init_callback_context()
        task.call_on_fit_task_begin(estimator=self, X=X, y=y)
        series = check_series(self, X, reset=True)
        labels = self._check_fitted_labels(X, y, n_rows=len(series))
        reach = history_reach(int(self.seq_length), int(self.horizon))
        self.context_ = series[max(len(series) - reach, 0) :].copy()
        self._first_rows = FirstRows.of(series).state()
        self._last_labels = None if labels is None else labels.state()
        self._fitted_lengths = self._lengths()
        task.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return series

    def _check_fitted_labels(
        self, X: ArrayLike, y: ArrayLike | None, *, n_rows: int
    ) -> FittedLabels | None:
        """Return the summary of the labels of X to keep; warn of windows across holes."""
        labels, target_labels = check_row_labels(X, y, n_rows=n_rows)
        spacing = own_spacing(labels)
        holes = own_holes(labels, spacing)
        warn_of_holes(holes, n_rows=n_rows, **self._lengths())
        target_holes = own_holes(target_labels, own_spacing(target_labels))
        warn_of_holes(target_holes, n_rows=n_rows, name="y", **self._lengths())
        if labels is None:
            return None
        return FittedLabels.of(
            labels, spacing, holes, reach=history_reach(**self._lengths())
        )

    def _lengths(self) -> Lengths:
        return {"seq_length": int(self.seq_length), "horizon": int(self.horizon)}

    def _check_parameters_of_fit(self) -> None:
        fitted = self._fitted_lengths
        check_parameter_of_fit("seq_length", int(self.seq_length), fitted["seq_length"])
        check_parameter_of_fit("horizon", int(self.horizon), fitted["horizon"])

    def _fitted_labels(self) -> FittedLabels | None:
        state = self._last_labels
        return None if state is None else FittedLabels.from_state(state)

    def _continues(
        self,
        series: NDArray,
        labels: Labels | None,
        fitted: FittedLabels | None,
        spacing: Spacing | None,
    ) -> bool:
        """Return whether the rows of `series` are the steps after the fitted ones."""
        if self.context != "auto":
            return self.context == "always"
        if labels is None or fitted is None or not fitted.is_comparable(labels):
            if labels is not None and fitted is not None:
                warn_of_other_kind(labels, fitted)
            return not FirstRows.from_state(self._first_rows).matches(series)
        relation = fitted.relation(labels, spacing)
        if relation == "gap":
            warn_of_gap(labels, fitted, spacing)
        return relation == "follows"

    def _requested_windows(self, series: NDArray, X: Any, request: Request) -> NDArray:
        """Return the windows that a forecast asks for; complete ones, or an error."""
        lengths = self._fitted_lengths
        n_needed = request.n_needed(len(series), **lengths)
        if n_needed:
            check_known_past(
                n_needed,
                n_known=len(self.context_) if self._is_next(series, X, request) else 0,
                context=self.context,
                **lengths,
            )
        windows = request.windows(series, self.context_, **lengths)
        return flat_windows(windows) if self.flatten else windows

    def _is_next(self, series: NDArray, X: Any, request: Request) -> bool:
        """Return whether the series of a request continues the fitted one; never warn."""
        rows = slice(request.n_series or len(series))
        index, fitted = table_index(X), self._fitted_labels()
        if self.context != "auto" or index is None:
            return self._continues(series[rows], None, fitted, None)
        labels = check_labels(pd.Series(0, index=index[rows]), like=fitted, warn=False)
        if labels is None or fitted is None or not fitted.is_comparable(labels):
            return self._continues(series[rows], None, fitted, None)
        spacing = spacing_of_both(fitted, labels)
        return fitted.relation(labels, spacing) == "follows"

    def _windows(self, series: NDArray, past: NDArray) -> NDArray | Windows:
        seq_length, horizon = int(self.seq_length), int(self.horizon)
        check_window_lengths(seq_length, horizon, series=series)
        is_longer = len(series) > history_reach(seq_length, horizon)
        if is_longer and not self.flatten and is_mapped(series):
            joined = JoinedWindows.of_history(
                series, past, seq_length=seq_length, horizon=horizon
            )
            return Windows.of_joined(joined)
        windows = history_windows(series, past, seq_length=seq_length, horizon=horizon)
        return flat_windows(windows) if self.flatten else windows

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return with_checksum(state, type(self), base=WindowTransformer, fitted=FITTED)

    def __setstate__(self, state: dict[str, Any]) -> None:
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
                first_rows = FirstRows.from_state(self._first_rows)
                check_context(self.context_, first_rows.low[np.newaxis])
                self._fitted_lengths = {
                    "seq_length": int(self._fitted_lengths["seq_length"]),
                    "horizon": int(self._fitted_lengths["horizon"]),
                }
                self._fitted_labels()
            except (
                ArithmeticError,
                AttributeError,
                LookupError,
                TypeError,
                ValueError,
            ) as error:
                raise damage_error(type(self).__name__, str(error)) from error

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
