"""LSTMRegressor: scikit-learn's fit and predict over a net of `_net`.

No loop over data and no tensor arithmetic stand here.
"""

from numbers import Integral, Real
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklstm import _net
from sklstm._validation import check_any_complete, check_targets, check_windows


class LSTMRegressor(RegressorMixin, BaseEstimator):
    """Long short-term memory network that predicts a value from a window of steps.

    `fit` trains an LSTM [1]_ with forget gates [2]_ over each window and a dense layer on
    its last hidden state, by Adam [3]_ on mini-batches of the complete windows. `predict`
    gives one value for every row; a row whose first steps are not known yet is predicted
    from those that are.

    It reads the windows of :class:`WindowTransformer`, and stands behind it in a
    :class:`~sklearn.pipeline.Pipeline`. The network is a skorch net, kept in `net_`.

    Parameters
    ----------
    units : int, default=50
        Size of the hidden state. More units can hold more of the past, take longer and
        fit noise sooner; the number of weights grows with the square.

    num_layers : int, default=1
        LSTM layers, each reading the hidden states of the one below. More layers can learn
        more involved patterns, and need more data and time.

    dropout : float, default=0.0
        Share of the hidden states that is zeroed between layers in training. Raising it
        guards against fitting noise, and slows learning. Without effect for one layer.

    bidirectional : bool, default=False
        Whether a second LSTM reads each window backwards. It doubles the weights; no row
        sees later steps by it, since a window ends before its target.

    loss : {"squared_error", "absolute_error", "huber"}, default="squared_error"
        What training minimises. "absolute_error" predicts the median and minds outliers
        less; "huber" is squared for errors up to one standard deviation of the target
        (one unit without `normalize_y`) and absolute beyond.

    epochs : int, default=50
        Passes over the training windows. More fit the training rows better, and from
        some point on only those.

    batch_size : int, default=16
        Windows per step of the optimizer. Larger batches make an epoch faster and take
        fewer, smoother steps, so that more epochs are needed.

    learning_rate : float, default=0.001
        Adam's step size. Raising it learns faster until the loss starts to jump.

    max_grad_norm : float, default=None
        Largest norm of the gradient; longer ones are scaled down to it. Lowering it
        steadies training on long windows and slows it. None leaves gradients alone.

    normalize_y : bool, default=True
        Whether to train on targets scaled to mean 0 and standard deviation 1, output by
        output. Predictions are in the target's units in any case; without it, targets far
        from 0 take many epochs to reach.

    random_state : int, RandomState instance or None, default=None
        Seeds the initial weights, the order of the batches and dropout. An int gives the
        same bits again in every fit; None draws anew. Global generators of NumPy and torch
        are neither read nor moved.

    device : str, default="auto"
        Where the network computes, a torch device such as "cpu" or "cuda:1"; "auto" is
        CUDA where there is one.

    verbose : int, default=0
        Whether to print a line an epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; its ``module_`` is the :class:`torch.nn.Module`.

    history_ : list of dict
        For each epoch `epoch`, `train_loss` (mean over the windows; of scaled targets with
        `normalize_y`, hence in units of their variance for "squared_error"),
        `learning_rate` and `duration` (seconds). ``pandas.DataFrame(reg.history_)`` is a
        table of it.

    n_iter_ : int
        Epochs that were trained.

    n_outputs_ : int
        Values predicted for each row.

    n_features_in_ : int
        Features of each step; for 2-D `X` the number of its columns, which are the steps.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of a 2-D `X`, where they are all strings.

    window_shape_ : tuple of (int, int)
        Steps of a window, and features of a step.

    device_ : torch.device
        Where the network computes.

    See Also
    --------
    WindowTransformer : Makes a series into the windows that this regressor reads.
    make_windows : Complete windows and targets, outside a Pipeline.

    Notes
    -----
    The network computes in float32. Scale the features first, for example by
    :class:`~sklearn.preprocessing.StandardScaler`: an LSTM saturates on large values.

    References
    ----------
    .. [1] Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9(8),
       1997.
    .. [2] Gers, Schmidhuber & Cummins, "Learning to forget: continual prediction with
       LSTM", Neural Computation 12(10), 2000.
    .. [3] Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.

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
        "units": [Interval(Integral, 1, None, closed="left")],
        "num_layers": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "bidirectional": ["boolean"],
        "loss": [StrOptions(set(_net.LOSSES))],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "normalize_y": ["boolean"],
        "random_state": ["random_state"],
        "device": [str],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        units: int = 50,
        *,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        loss: Literal["squared_error", "absolute_error", "huber"] = "squared_error",
        epochs: int = 50,
        batch_size: int = 16,
        learning_rate: float = 0.001,
        max_grad_norm: float | None = None,
        normalize_y: bool = True,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.units = units
        self.num_layers = num_layers
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_grad_norm = max_grad_norm
        self.normalize_y = normalize_y
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train a new network on the complete windows.

        Parameters
        ----------
        X : array-like of shape (n_samples, seq_length, n_features)
            Windows, or (n_samples, seq_length) for univariate ones. Leading NaN steps are
            not known yet; rows that have them are left out of training. (A 2-D `X` may
            have them where its rows are consecutive windows of one series.) Any float or
            integer type, strided views included, which are not copied.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target of each window.

        Returns
        -------
        self : LSTMRegressor
            The fitted regressor.

        Raises
        ------
        ValueError
            If no window is complete, `X` holds NaN elsewhere than in the first steps of a
            window, `X` or `y` holds inf, `y` holds NaN or is of another length, or the
            loss leaves the finite numbers.
        """
        windows, n_known = check_windows(self, X, reset=True)
        y = check_targets(self, y, n_samples=len(windows))
        check_any_complete(n_known, seq_length=windows.shape[1])
        rows = np.flatnonzero(n_known == windows.shape[1])
        targets = self._fit_target_scale(y, rows)
        self.net_ = self._make_net()
        _net.train(self.net_, windows, targets, rows)
        self.history_ = _net.training_history(self.net_)
        self.n_iter_ = len(self.history_)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict the target of every window.

        Parameters
        ----------
        X : array-like of shape (n_samples, seq_length, n_features)
            Windows of the shape seen in `fit`. A window whose first steps are NaN is
            predicted from the others; a window of NaN alone from the state before the
            first step.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions in the target's units, in the shape that `y` had in `fit`.

        Raises
        ------
        ValueError
            If `X` has another shape than in `fit`, holds inf, or holds NaN elsewhere than
            in the first steps of a window.
        """
        check_is_fitted(self)
        windows, n_known = check_windows(self, X, reset=False)
        outputs = _net.predict(self.net_, windows, n_known).astype(np.float64)
        predictions = outputs * self._target_scale + self._target_mean
        return predictions.reshape(len(windows), *self._target_shape)

    def _fit_target_scale(self, y: NDArray, rows: NDArray[np.intp]) -> NDArray:
        """Learn the scale from the rows trained on; the targets of all rows in it."""
        self._target_shape = y.shape[1:]
        y = y.reshape(len(y), -1)
        self.n_outputs_ = y.shape[1]
        self._target_mean = np.zeros(self.n_outputs_)
        self._target_scale = np.ones(self.n_outputs_)
        if self.normalize_y:
            self._target_mean = y[rows].mean(axis=0)
            scale = y[rows].std(axis=0)
            # Rounding leaves a constant target a deviation that is not quite 0.
            constant = scale <= 10 * np.finfo(y.dtype).eps * np.abs(self._target_mean)
            self._target_scale = np.where(constant, 1.0, scale)
        return (y - self._target_mean) / self._target_scale

    def _make_net(self) -> _net.WindowNet:
        self.device_ = _net.resolve_device(self.device)
        return _net.make_net(
            self.window_shape_,
            self.n_outputs_,
            units=int(self.units),  # torch takes no NumPy integers
            num_layers=int(self.num_layers),
            dropout=float(self.dropout),
            bidirectional=bool(self.bidirectional),
            loss=self.loss,
            epochs=int(self.epochs),
            batch_size=int(self.batch_size),
            learning_rate=float(self.learning_rate),
            max_grad_norm=self.max_grad_norm,
            device=self.device_,
            seed=self._draw_seed(),
            verbose=int(self.verbose),
        )

    def _draw_seed(self) -> int:
        if self.random_state is None:
            # Not NumPy's global generator, which a fit leaves as it was.
            return int(np.random.default_rng().integers(2**31))
        random_state = check_random_state(self.random_state)
        return int(random_state.randint(np.iinfo(np.int32).max))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        # The reference task is a table whose columns have no order in time: R2 of 0.4
        # after the default 50 epochs, 0.9 after 200.
        tags.regressor_tags.poor_score = True
        return tags
