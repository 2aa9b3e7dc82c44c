"""LSTMRegressor: its parameters, its documentation, and scikit-learn's methods.

The work is done in `_training` and `_network`; nothing here loops over data or computes
with tensors.
"""

from collections.abc import Sequence
from dataclasses import asdict
from numbers import Real
from os import PathLike, fsdecode
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklstm._arrays import check_targets
from sklstm._network._losses import LOSS_NAMES
from sklstm._network._module import LSTMModule
from sklstm._network._summary import layer_table
from sklstm._sklearn_compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    at_least,
    fit_context,
    with_callbacks,
)
from sklstm._storage._checksum import verify_checksum, with_checksum
from sklstm._training._callback_state import unfitted_callbacks
from sklstm._training._callbacks import FitTasks
from sklstm._training._checks import check_finite_predictions, check_sample_weight
from sklstm._training._config import (
    Architecture,
    TrainingConfig,
    check_input_shape,
    check_partial_fit,
    check_predicts_quantiles,
)
from sklstm._training._consecutive import check_steps
from sklstm._training._data import DataShape, check_training_data
from sklstm._training._fitted import FittedNet
from sklstm._training._inputs import check_windows
from sklstm._training._scaling import r_squared
from sklstm._training._train import train
from sklstm._types import Epoch, Keywords, State

# Attributes that `fit` sets. All derive from the first, and only that one is saved.
FITTED = (
    "_fitted_net",
    "best_epoch_",
    "device_",
    "feature_names_in_",
    "n_features_in_",
    "n_iter_",
    "n_outputs_",
    "net_",
    "window_shape_",
)


class LSTMRegressor(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """Long short-term memory network that predicts a target from a window of steps.

    Use it to forecast a time series: put it after a :class:`WindowTransformer` in a
    :class:`~sklearn.pipeline.Pipeline`, then fit, score and tune that Pipeline like any
    other model of scikit-learn.

    `fit` trains an LSTM [1]_ with forget gates [2]_ over each window, followed by a dense
    layer on its last hidden state, with Adam [3]_ on mini-batches of the complete windows,
    or of all windows with ``incomplete="train"``. `predict` returns one prediction for
    every row. Where the first steps of a window are not known yet, it predicts from the
    steps that are. The network is trained through skorch and is available as `net_`.

    Parameters
    ----------
    units : int, default=50
        Size of the hidden state. More units can remember more of the past, but take longer
        to train and overfit sooner; the number of weights grows with the square.

    num_layers : int, default=1
        Number of LSTM layers, each reading the hidden states of the one below. More layers
        can learn more complex patterns, but need more data and time.

    dropout : float, default=0.0
        Share of the hidden states that is set to zero between layers during training.
        Raising it reduces overfitting and slows learning. It has no effect with one layer.

    bidirectional : bool, default=False
        Whether a second LSTM reads each window backwards. It doubles the number of weights.
        It does not leak the future, since a window ends before its target.

    residual : bool, default=False
        Whether to model the departure from a linear forecast of the whole window, the
        recommended form for forecasting. The LSTM reads each window relative to its last
        step, and a linear map of all steps, which are relative too, and of the last step
        itself is added to its output [4]_ [5]_. Training starts at the ridge forecast and
        leaves it where the LSTM finds more; with `early_stopping`, the ridge forecast is
        kept where it does not. It follows a trend or a wandering level, and a season that
        the window holds. See Notes for what the linear map is fitted to.

    loss : {"squared_error", "absolute_error", "huber", "quantile"}, \
            default="squared_error"
        Loss that training minimises. "squared_error" predicts the mean. "absolute_error"
        predicts the median and is less sensitive to outliers. "huber" is squared for errors
        up to one standard deviation of the target (one unit without `normalize_y`) and
        absolute for larger ones. "quantile" predicts all `quantiles` by one network, and
        minimises the mean of their pinball losses [6]_.

    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        With ``loss="quantile"``, the levels to predict: strictly increasing, between 0 and
        1. A level of 0.9 is a value that the target stays below with a probability of 0.9.
        `predict` returns the median, which therefore has to be among several levels, or the
        single level if there is one; :func:`predict_quantiles` returns all. Levels far out,
        such as 0.01, need many training rows.

    multi_step : bool, default=False
        Whether the columns of `y` are consecutive steps of one series, such as
        :func:`steps_ahead` returns. Then training leaves out the last rows of each series,
        whose last target comes after its last training row, so that in cross-validation no
        fold learns from its test rows. It also leaves out training rows whose targets reach
        into the validation rows of `early_stopping`. `y` may be NaN in these last rows.

    incomplete : {"skip", "train"}, default="skip"
        What training does with incomplete windows, those of the first rows of a series.
        "skip" leaves them out. "train" uses them too, each with the steps that it has, and
        weighted like any other row; only windows that know no step are left out. Choose
        "train" if the first predictions of a series matter and there are several series,
        such as machines that are new: an LSTM that has only seen long windows is often
        wrong about short ones.

    epochs : int, default=50
        Number of passes over the training windows. More epochs fit the training rows more
        closely, and from some point on they overfit them.

    batch_size : int, default=16
        Number of windows per step of the optimizer. Larger batches make each epoch faster,
        but take fewer and smoother steps, so that more epochs are needed.

    learning_rate : float, default=0.001
        Step size of Adam. Raising it speeds up learning, until the loss starts to jump.

    max_grad_norm : float, default=None
        Largest norm of the gradient; larger gradients are scaled down to it. Lowering it
        makes training on long windows more stable, but slower. None does not clip.

    normalize_y : bool, default=True
        Whether to train on targets scaled to mean 0 and standard deviation 1, separately
        for each output. Predictions are in the units of `y` in either case. Without it, the
        network needs many epochs to reach targets that are far from 0.

    early_stopping : bool, default=False
        Whether to stop when the validation loss no longer improves, and to keep the weights
        of the best epoch. The weights before the first epoch count too: if no epoch is
        better (with `residual`, by more than chance), they are kept. Unless `fit` is given
        `X_val`, the last windows that training would use are held out for validation. With
        `residual`, a linear forecast that is kept is fitted again, to those as well.

    validation_fraction : float, default=0.1
        Share of the windows that `early_stopping` holds out: the last ones in time, of
        those that training would use. Raising it makes the choice of the best epoch more
        reliable and leaves fewer windows to train on.

    n_iter_no_change : int, default=10
        Number of epochs without improvement after which `early_stopping` stops. Raising it
        lets training continue through longer plateaus.

    tol : float, default=1e-4
        Smallest decrease of the validation loss that counts as an improvement, in the units
        of `history_`.

    warm_start : bool, default=False
        Whether `fit` continues from the weights, optimizer and target scale of the earlier
        fit, for `epochs` more epochs, instead of starting from scratch.

    checkpoint : str or path-like, default=None
        File that `fit` writes after each epoch, so that a fit that was interrupted can
        continue from it: call `fit` again with the same data and parameters, and the result
        is bit-identical to that of an uninterrupted fit. A file of another fit is refused.
        Each epoch takes longer by the time it takes to write three to four times the size
        of the weights to disk. None writes nothing.

    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the order of the batches and dropout. With an int,
        every fit is bit-identical; with None, each fit draws a new seed. The global
        generators of NumPy and torch are neither used nor changed.

    device : str, default="auto"
        Device of torch on which the network computes, such as "cpu" or "cuda:1". "auto"
        uses CUDA if available, else the CPU.

    verbose : int, default=0
        Whether to print one line per epoch.

    skorch_params : dict, default=None
        Further arguments of the :class:`skorch.net.NeuralNet`, such as
        ``{"callbacks": [...]}``, ``{"optimizer__weight_decay": 0.01}`` or
        ``{"optimizer": torch.optim.SGD}``. Arguments that the parameters above already set
        are an error.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; its ``module_`` is the :class:`torch.nn.Module`.

    history_ : list of dict
        One dict per epoch: `epoch`, `train_loss`, `valid_loss` (with validation data),
        `learning_rate`, `duration` (seconds), and values that skorch callbacks record.
        Losses are means over the windows. With `normalize_y` they are losses of scaled
        targets, hence in units of the target's variance for "squared_error".
        ``pandas.DataFrame(reg.history_)`` makes a table.

    n_iter_ : int
        Number of epochs trained.

    best_epoch_ : int
        Epoch whose weights were kept, counted from 1; 0 where no epoch was better than
        the start or, with `residual`, better by more than chance. Only with
        `early_stopping`.

    n_outputs_ : int
        Number of values predicted for each row.

    n_features_in_ : int
        Number of features per step. For a 2-D `X`, number of its columns, which are the
        steps.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of a 2-D `X`. Defined only when they are all strings.

    window_shape_ : tuple of (int, int)
        Number of steps per window, and of features per step.

    device_ : str
        Device on which the network computes.

    See Also
    --------
    WindowTransformer : Cuts a series into the windows that this regressor reads.
    predict_quantiles : Returns all levels of a model with ``loss="quantile"``.
    make_windows : Returns complete windows and their targets, outside a Pipeline.

    Notes
    -----
    Scale the features first, for example with
    :class:`~sklearn.preprocessing.StandardScaler`: an LSTM saturates on large values, and
    the network computes in float32, which keeps 7 digits.

    With ``residual=True``, the linear map starts at an average of three ridge regressions
    of the target on the training windows. One penalises all steps as they are, one only the
    steps relative to the last one, and one continues from the last value, as a random walk
    does, instead of returning to the mean of the training rows. Penalties, and the weights
    of the average, are chosen in time order: each candidate is fitted to earlier rows and
    judged on later ones. From 1,000 rows on, the third is used alone if the augmented
    Dickey-Fuller test does not reject a random walk at 5 %. With `early_stopping`, the best
    epoch replaces the start only if it is better on the validation rows by more than chance
    (a test after Diebold and Mariano [7]_ at 2.5 %). Otherwise the linear forecast is
    fitted again, to the rows that were held out as well. Of windows with more than 1,000
    columns (steps times features), the map reads the last steps only; with more than 1,000
    features it starts at 0. Steps of a window that are not known count as their mean. In
    training, all its weights together move about as fast as one weight of the dense layer.

    With ``loss="quantile"``, training starts from levels that are shifted so that each
    leaves its share of the training targets below. Levels that cross are sorted, in
    `predict` and in the validation loss. With `residual`, the LSTM does not see the level
    of the series: how far quantiles lie apart depends on it through the linear map only,
    which suits noise that follows recent changes. For noise that grows with the level,
    predict the logarithm.

    References
    ----------
    .. [1] Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9(8),
       1997.
    .. [2] Gers, Schmidhuber & Cummins, "Learning to forget: continual prediction with
       LSTM", Neural Computation 12(10), 2000.
    .. [3] Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    .. [4] Zeng, Chen, Zhang & Xu, "Are transformers effective for time series
       forecasting?", AAAI 2023 (NLinear).
    .. [5] Lai, Chang, Yang & Liu, "Modeling long- and short-term temporal patterns with
       deep neural networks", SIGIR 2018 (LSTNet).
    .. [6] Koenker & Bassett, "Regression quantiles", Econometrica 46(1), 1978.
    .. [7] Diebold & Mariano, "Comparing predictive accuracy", Journal of Business &
       Economic Statistics 13(3), 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, WindowTransformer
    >>> series = np.sin(0.3 * np.arange(120))
    >>> model = make_pipeline(
    ...     WindowTransformer(seq_length=8),
    ...     LSTMRegressor(units=16, epochs=30, learning_rate=0.01, random_state=0),
    ... )
    >>> model.fit(series[:80, None], series[:80])
    Pipeline(...)
    >>> model.predict(series[80:, None]).shape
    (40,)
    >>> model.score(series[80:, None], series[80:]) > 0.99
    True

    A window longer than the series leaves nothing to train on:

    >>> model.set_params(windowtransformer__seq_length=100)
    Pipeline(...)
    >>> model.fit(series[:80, None], series[:80])
    Traceback (most recent call last):
    ...
    ValueError: None of the 80 windows of seq_length=100 is complete...
    """

    _parameter_constraints: ClassVar[dict] = {
        "units": [at_least(1)],
        "num_layers": [at_least(1)],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "bidirectional": ["boolean"],
        "residual": ["boolean"],
        "loss": [StrOptions(set(LOSS_NAMES))],
        "quantiles": ["array-like", Real, str],  # a scalar gets an error that shows a tuple
        "multi_step": ["boolean"],
        "incomplete": [StrOptions({"skip", "train"})],
        "epochs": [at_least(1)],
        "batch_size": [at_least(1)],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "normalize_y": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [at_least(1)],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "checkpoint": [str, PathLike, None],
        "random_state": ["random_state"],
        "device": [str],
        "verbose": ["verbose"],
        "skorch_params": [dict, None],
    }

    def __init__(
        self,
        units: int = 50,
        *,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        residual: bool = False,
        loss: Literal[
            "squared_error", "absolute_error", "huber", "quantile"
        ] = "squared_error",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        multi_step: bool = False,
        incomplete: Literal["skip", "train"] = "skip",
        epochs: int = 50,
        batch_size: int = 16,
        learning_rate: float = 0.001,
        max_grad_norm: float | None = None,
        normalize_y: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        checkpoint: str | PathLike[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        verbose: int = 0,
        skorch_params: Keywords | None = None,
    ) -> None:
        self.units = units
        self.num_layers = num_layers
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.residual = residual
        self.loss = loss
        self.quantiles = quantiles
        self.multi_step = multi_step
        self.incomplete = incomplete
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_grad_norm = max_grad_norm
        self.normalize_y = normalize_y
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.device = device
        self.verbose = verbose
        self.skorch_params = skorch_params

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network on the complete windows, or on all, by `incomplete`.

        Parameters
        ----------
        X : array-like of shape (n_samples, seq_length, n_features)
            Windows, the oldest step first; or (n_samples, seq_length) for windows of one
            feature. Steps of NaN at the start of a window mean that they are not known yet;
            `incomplete` says whether training leaves out such rows. (In a 2-D `X` they are
            allowed only if its rows are the consecutive windows of one series.) Any float
            or integer type is read. Strided views are not copied.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target of each window. NaN only where the weight is 0 and, with `multi_step`, in
            the last rows.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss and in the scale of the targets. Training leaves
            out rows of weight 0. Equal weights by default.

        X_val, y_val : array-like, default=None
            Validation data: windows and targets whose loss is recorded after each epoch,
            complete windows only, unless `incomplete` is "train". With `early_stopping`,
            they decide which epoch is best. In a Pipeline, pass `X_val` in the form of `X`
            and name it in the Pipeline's ``transform_input=["X_val"]``.

        Returns
        -------
        self : LSTMRegressor
            The fitted regressor. If `fit` raises an error, an earlier fit is kept.

        Raises
        ------
        TypeError
            If `X` or `y` is sparse or holds times.

        ValueError
            If no window can be trained on; if `X` holds NaN anywhere but in the first steps
            of a window; if `X` or `y` holds inf or masked values; if `y` holds NaN where it
            may not, has another length than `X`, or has the labels of `X` in another order;
            if the loss or the weights are not finite; if a parameter has a value that
            cannot be used; or if the file `checkpoint` belongs to another fit, is in use,
            or is damaged.

        OSError
            If the file `checkpoint` cannot be read or written.

        Warns
        -----
        UserWarning
            If consecutive rows overlap as windows of another layout do: the newest step
            first, or with the axes of steps and features swapped. If a feature, or a target
            without `normalize_y`, lies so far from 0 that float32 loses its differences. If
            the trained network returns the same prediction for different windows, because
            its gates are saturated or the features are too small.

        SavedVersionWarning
            If the file `checkpoint` was written by other versions of the packages.
        """
        before = getattr(self, "_fitted_net", None) if self.warm_start else None
        data = check_training_data(
            self,
            X,
            y,
            sample_weight,
            X_val,
            y_val,
            hold_out=self.validation_fraction if self.early_stopping else None,
            like=None if before is None else before.shape,
        )
        config = self._config(data.shape, epochs=int(self.epochs), before=before)
        tasks = FitTasks(self, X, y, sample_weight, n_epochs=config.training.epochs)
        fitted = train(config, data, start=before, tasks=tasks)
        tasks.end(fitted.estimator_attributes)
        return self._keep(fitted)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one more epoch on the given windows.

        Use it for data that arrives in parts. The first call starts a network. Later calls
        continue with its weights, its optimizer and its scale of the targets. A regressor
        that was saved after a plain `fit` was saved without its optimizer, and continues
        with a new one.

        Parameters
        ----------
        X : array-like of shape (n_samples, seq_length, n_features)
            Windows, as in `fit`.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target of each window. NaN only where the weight is 0.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights, as in `fit`.

        Returns
        -------
        self : LSTMRegressor
            The regressor, trained for one more epoch.

        Raises
        ------
        TypeError
            As in `fit`.

        ValueError
            As in `fit`; also if `X` or `y` has another shape than in the first call, or if
            `early_stopping` or `checkpoint` is set.

        Warns
        -----
        UserWarning
            As in `fit`.
        """
        self._validate_params()  # scikit-learn's decorator does so in the first call only
        check_partial_fit(self)
        before = getattr(self, "_fitted_net", None)
        like = None if before is None else before.shape
        data = check_training_data(self, X, y, sample_weight, like=like)
        config = self._config(data.shape, epochs=1, before=before)
        return self._keep(train(config, data, start=before))

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict the target of every window.

        Parameters
        ----------
        X : array-like of shape (n_samples, seq_length, n_features)
            Windows of the shape seen in `fit`. A window whose first steps are NaN is
            predicted from its other steps. A window that is all NaN is predicted from the
            initial state of the network.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions in the units of `y`, in the shape that `y` had in `fit`.

        Raises
        ------
        NotFittedError
            If the regressor is not fitted.

        TypeError
            If `X` is sparse or holds times.

        ValueError
            If `X` has another shape than in `fit`; if it holds inf or masked values, or NaN
            anywhere but in the first steps of a window; or if a prediction is not finite,
            because values of `X`, or of `y` in `fit`, are too large.
        """
        fitted = self._fitted()
        windows, _ = check_windows(self, X, like=fitted.shape.inputs)
        return check_finite_predictions(fitted.predict(windows))

    def _predict_quantiles(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return all levels, with an axis for them after those of `predict`."""
        fitted = self._fitted()
        check_predicts_quantiles(fitted.net.training)
        windows, _ = check_windows(self, X, like=fitted.shape.inputs)
        return check_finite_predictions(fitted.predict_quantiles(windows))

    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return R², the share of the target's variance that is predicted.

        Parameters
        ----------
        X : array-like of shape (n_samples, seq_length, n_features)
            Windows, as in `predict`.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values. At least two are needed: a single value has no variance. NaN only
            where the weight is 0. With `multi_step` also in the last rows of a series,
            which are then left out.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. Equal weights by default.

        Returns
        -------
        score : float
            Score of :func:`~sklearn.metrics.r2_score`, averaged over the outputs: 1.0 at
            best, 0.0 for a model that always predicts the mean of `y`, and negative for
            anything worse.

        Raises
        ------
        TypeError
            As in `predict`; also if `y` holds times.

        ValueError
            As in `predict`; also if `y` holds inf, or NaN where the weight is not 0, or has
            another length than `X`.

        Warns
        -----
        UndefinedMetricWarning
            If there is only one row. The score is then NaN.
        """
        predictions = self.predict(X)
        weights = check_sample_weight(sample_weight, predictions)
        if not self.multi_step:
            y = check_targets(self, y, n_samples=len(predictions), weights=weights)
            return r_squared(y, predictions, weights)
        windows, _ = check_windows(self, X, like=self._fitted().shape.inputs)
        y, known = check_steps(self, y, windows, weights)
        weights = None if weights is None else weights[known]
        return r_squared(y[known], predictions[known], weights)

    def summary(
        self, input_shape: tuple[int, int] | None = None, *, n_outputs: int = 1
    ) -> None:
        """Print the layers, the shapes of their outputs and their parameter counts.

        Pass `input_shape` to see them before training.

        Parameters
        ----------
        input_shape : tuple of (int, int), default=None
            Number of steps per window and of features per step. By default, the shape seen
            in `fit`.

        n_outputs : int, default=1
            Number of values predicted for each row; only used with `input_shape`.

        Raises
        ------
        NotFittedError
            If the regressor is not fitted and `input_shape` is not given.

        ValueError
            If `input_shape` is not a pair of positive integers, if `n_outputs` is not a
            positive integer, or if a parameter has a value that cannot be used.

        Examples
        --------
        >>> from sklstm import LSTMRegressor
        >>> LSTMRegressor(units=50).summary(input_shape=(10, 1))
        Layer (type)                  Output shape             Param #
        --------------------------------------------------------------
        input                         (None, 10, 1)                  0
        lstm (LSTM)                   (None, 50)                10,600
        dense (Linear)                (None, 1)                     51
        --------------------------------------------------------------
        Total params: 10,651 (41.61 KB)
        """
        if input_shape is None:
            fitted = self._fitted()
            print(layer_table(fitted.net.own_module, fitted.shape.inputs.seq_length))
            return
        self._validate_params()
        seq_length, n_features = check_input_shape(input_shape, n_outputs)
        architecture = Architecture.of(
            self, seq_length=seq_length, n_features=n_features, n_outputs=n_outputs
        )
        print(layer_table(LSTMModule(**asdict(architecture)), seq_length))

    @property
    def history_(self) -> list[Epoch]:
        """Training history, one dict per epoch."""
        return self._fitted().history

    def _fitted(self) -> FittedNet:
        """Return the last complete fit, even while another thread is fitting."""
        check_is_fitted(self, "_fitted_net")
        return self._fitted_net

    def _config(
        self, shape: DataShape, *, epochs: int, before: FittedNet | None
    ) -> TrainingConfig:
        return TrainingConfig.of(
            self,
            seq_length=shape.inputs.seq_length,
            n_features=shape.inputs.n_features,
            n_outputs=shape.n_outputs,
            epochs=epochs,
            is_start=before is None,
        )

    def _keep(self, fitted: FittedNet) -> Self:
        """Set all fitted attributes, in one step; no other method sets any."""
        others = {name: v for name, v in vars(self).items() if name not in FITTED}
        self.__dict__ = others | fitted.estimator_attributes()
        return self

    def __getstate__(self) -> State:
        state = dict(super().__getstate__())
        if isinstance(self.checkpoint, PathLike):
            # A PosixPath cannot be loaded on Windows, and skops would have to trust it.
            state["checkpoint"] = fsdecode(self.checkpoint)
        if isinstance(self.skorch_params, dict) and "callbacks" in self.skorch_params:
            callbacks = unfitted_callbacks(self.skorch_params["callbacks"])
            state["skorch_params"] = {**self.skorch_params, "callbacks": callbacks}
        fitted = state.get("_fitted_net")
        state = {name: value for name, value in state.items() if name not in FITTED}
        if fitted is not None:
            state["_fitted_net"] = fitted.state(warm_start=bool(self.warm_start))
        return with_checksum(state, type(self), base=LSTMRegressor, fitted=FITTED)

    def __setstate__(self, state: State) -> None:
        state = verify_checksum(state, type(self), base=LSTMRegressor, fitted=FITTED)
        fitted = state.pop("_fitted_net", None)
        super().__setstate__(state)
        if fitted is not None:
            name, params = type(self).__name__, self.skorch_params
            self._keep(FittedNet.from_state(fitted, params, name=name))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        # scikit-learn's test uses a table whose columns have no order in time: R² is 0.4
        # after the default 50 epochs, 0.9 after 200.
        tags.regressor_tags.poor_score = True
        return tags
