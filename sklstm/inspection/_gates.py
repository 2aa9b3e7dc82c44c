"""gates and cell_gradient: the inner states of a fitted regressor, window by window.

Windows are passed on a few at a time; the arithmetic is in `_equations`.
"""

from collections.abc import Iterator
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from sklstm._network._module import effective_weights
from sklstm._pipelines import resolve_regressor
from sklstm._regressor import LSTMRegressor
from sklstm._sklearn_compat import StrOptions, validate_params
from sklstm._training._inputs import check_windows
from sklstm.inspection._equations import (
    PARTS,
    Cell,
    States,
    cell_gradient_norms,
    make_layers,
    states_of_layer,
)
from sklstm.windows._views import iter_chunks
from sklstm.windows._windows import Windows

# Memory for intermediate results. More gains nothing: Jacobians of 16 windows at a time
# take as long per window as those of 256.
BYTES_AT_ONCE = 2**24


@validate_params(
    {
        "X": ["array-like"],
        "layer": [Integral],
        "direction": [StrOptions({"forward", "backward"})],
    },
    prefer_skip_nested_validation=True,
)
def gates(
    estimator: BaseEstimator,
    X: ArrayLike,
    *,
    layer: int = -1,
    direction: Literal["forward", "backward"] = "forward",
) -> Bunch:
    """Compute the gates and states of a fitted LSTM at every step of every window.

    At each step, an LSTM [1]_ with forget gates [2]_ computes from the step ``x_t`` and the
    previous hidden state ``h_{t-1}``

    - ``i_t = sigmoid(W_i x_t + U_i h_{t-1} + b_i)``, the input gate,
    - ``f_t = sigmoid(W_f x_t + U_f h_{t-1} + b_f)``, the forget gate,
    - ``g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)``, the candidate,
    - ``o_t = sigmoid(W_o x_t + U_o h_{t-1} + b_o)``, the output gate,
    - ``c_t = f_t * c_{t-1} + i_t * g_t``, the cell state, and
    - ``h_t = o_t * tanh(c_t)``, the hidden state, all of them unit by unit.

    They are recomputed from the weights in float64; training and prediction use torch's own
    LSTM.

    Parameters
    ----------
    estimator : estimator instance
        A fitted :class:`LSTMRegressor`, a :class:`~sklearn.pipeline.Pipeline` that ends in
        one, or a fitted search over either, such as
        :class:`~sklearn.model_selection.GridSearchCV`.

    X : array-like
        What ``estimator.predict`` takes: windows of shape (n_samples, seq_length,
        n_features) for a regressor, the series of shape (n_samples, n_features) for a
        Pipeline with a :class:`WindowTransformer`.

    layer : int, default=-1
        Which of the ``num_layers`` layers: 0 is the one that reads the window, -1 the one
        that the prediction is made from.

    direction : {"forward", "backward"}, default="forward"
        "backward" is the LSTM of a bidirectional layer that reads the window from its last
        step to its first.

    Returns
    -------
    parts : :class:`~sklearn.utils.Bunch`
        Dictionary-like object of ndarrays, each of shape (n_samples, seq_length, units).
        Steps are in the order of the window, for both directions. Steps that are missing
        in `X` are NaN.

        input_gate, forget_gate, output_gate
            Between 0 (closed) and 1 (open).
        candidate
            Between -1 and 1; the input gate scales it before it enters the cell state.
        cell_state
            After the step.
        hidden_state
            After the step, between -1 and 1. The dense layer reads the hidden state of the
            last layer after the last step read.

    Raises
    ------
    ValueError
        If `estimator` does not end in an :class:`LSTMRegressor`, cannot predict from `X`,
        or has no such layer or direction.

    NotFittedError
        If `estimator` is not fitted.

    See Also
    --------
    cell_gradient : How much the last cell state depends on each earlier one.
    GateDisplay : Plot of the gates and states.

    Notes
    -----
    The result takes 48 bytes for each window, step and unit: 2.4 GB for 10,000 windows of
    100 steps and 50 units. Intermediate results stay below about 20 MB. To look at a few
    windows of a long series, select them after the Pipeline's other steps:
    ``gates(model[-1], model[:-1].transform(X)[rows])``.

    With ``residual=True`` the LSTM reads each window relative to its last step, and so do
    the gates.

    References
    ----------
    .. [1] Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9(8),
       1997.
    .. [2] Gers, Schmidhuber & Cummins, "Learning to forget: continual prediction with
       LSTM", Neural Computation 12(10), 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, WindowTransformer, gates
    >>> series = np.sin(0.3 * np.arange(60))
    >>> model = make_pipeline(
    ...     WindowTransformer(seq_length=8),
    ...     LSTMRegressor(units=4, epochs=2, random_state=0),
    ... ).fit(series[:, None], series)
    >>> parts = gates(model, series[:, None])
    >>> list(parts)
    ['input_gate', 'forget_gate', 'candidate', 'output_gate', 'cell_state', 'hidden_state']
    >>> parts.forget_gate.shape
    (60, 8, 4)

    The regressor itself reads windows, not the series:

    >>> gates(model[-1], series[:, None])
    Traceback (most recent call last):
    ...
    ValueError: X has windows of 1 steps, but LSTMRegressor is expecting windows of 8...
    """
    regressor, X = resolve_regressor(estimator, X)
    windows, _ = check_windows(regressor, X, like=regressor._fitted().shape.inputs)
    return parts_of_steps(regressor, windows, layer=layer, direction=direction)


@validate_params(
    {
        "X": ["array-like"],
        "layer": [Integral],
        "direction": [StrOptions({"forward", "backward"})],
        "path": [StrOptions({"all", "direct"})],
        "norm": [StrOptions({"spectral", "rms"})],
    },
    prefer_skip_nested_validation=True,
)
def cell_gradient(
    estimator: BaseEstimator,
    X: ArrayLike,
    *,
    layer: int = -1,
    direction: Literal["forward", "backward"] = "forward",
    path: Literal["all", "direct"] = "all",
    norm: Literal["spectral", "rms"] = "spectral",
) -> NDArray[np.float64]:
    r"""Compute how much the last cell state depends on each earlier one.

    For each step ``t`` of a window of ``T`` steps, this is the norm of the
    (units, units) matrix of derivatives ``dc_T / dc_t``: the factor by which a small change
    of the cell state after step ``t`` has grown or shrunk by the end of the window.
    Backpropagation through time multiplies the error by the same matrix in the backward
    pass. The norm is 1 at the last step. A value near 0 means that the cell state after
    step ``t`` hardly affects the last one, and that training could hardly learn from it:
    the gradient has vanished [1]_ [2]_. A value above 1 is a gradient that grows.

    This is the total derivative. A cell state enters the next one directly, scaled by the
    forget gate, and through the hidden state all four gates of the next step.

    Parameters
    ----------
    estimator : estimator instance
        A fitted :class:`LSTMRegressor`, a :class:`~sklearn.pipeline.Pipeline` that ends in
        one, or a fitted search over either.

    X : array-like
        What ``estimator.predict`` takes: windows of shape (n_samples, seq_length,
        n_features) for a regressor, the series of shape (n_samples, n_features) for a
        Pipeline with a :class:`WindowTransformer`.

    layer : int, default=-1
        Which of the ``num_layers`` layers: 0 is the one that reads the window, -1 the one
        that the prediction is made from. The derivative stays within this layer.

    direction : {"forward", "backward"}, default="forward"
        "backward" is the LSTM of a bidirectional layer that reads the window from its last
        step to its first; its last cell state is the one after the window's first known
        step.

    path : {"all", "direct"}, default="all"
        "direct" ignores the path through the hidden state, as if the gates were
        constants. The matrix is then diagonal, and each unit's entry the product of its
        forget gates after step ``t``.

    norm : {"spectral", "rms"}, default="spectral"
        "spectral" is the largest singular value: the factor for the change that is
        preserved best. "rms" is the root mean square of the singular values (the
        Frobenius norm divided by ``sqrt(units)``): the factor for a change in a random
        direction. If one unit keeps its value and all others forget, "spectral" is about 1
        and "rms" about ``1 / sqrt(units)``. "rms" takes at most half the time.

    Returns
    -------
    norms : ndarray of shape (n_samples, seq_length)
        Steps are in the order of the window, for both directions. Steps that are missing
        in `X` are NaN.

    Raises
    ------
    ValueError
        If `estimator` does not end in an :class:`LSTMRegressor`, cannot predict from `X`,
        or has no such layer or direction.

    NotFittedError
        If `estimator` is not fitted.

    See Also
    --------
    gates : The gates that make up this derivative.

    Notes
    -----
    The time grows with ``n_samples * seq_length * units ** 3``. 10,000 windows of 100
    steps and 50 units took five minutes on one core of a busy machine, half of that with
    ``norm="rms"``, and 25 s with ``path="direct"``. Intermediate results stay below about
    20 MB up to 300 units, and grow with ``units ** 2`` beyond.

    References
    ----------
    .. [1] Bengio, Simard & Frasconi, "Learning long-term dependencies with gradient
       descent is difficult", IEEE Transactions on Neural Networks 5(2), 1994.
    .. [2] Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural
       networks", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import LSTMRegressor, WindowTransformer, cell_gradient
    >>> series = np.sin(0.3 * np.arange(60))
    >>> model = make_pipeline(
    ...     WindowTransformer(seq_length=8),
    ...     LSTMRegressor(units=4, epochs=2, random_state=0),
    ... ).fit(series[:, None], series)
    >>> norms = cell_gradient(model, series[:, None])
    >>> norms.shape
    (60, 8)
    >>> bool((norms[8:, -1] == 1).all() and (norms[8:, 0] < 0.5).all())
    True

    An estimator has to be fitted first:

    >>> cell_gradient(LSTMRegressor(), np.zeros((1, 8, 1)))
    Traceback (most recent call last):
    ...
    sklearn.exceptions.NotFittedError: This LSTMRegressor instance is not fitted yet...
    """
    regressor, X = resolve_regressor(estimator, X)
    windows, _ = check_windows(regressor, X, like=regressor._fitted().shape.inputs)
    norms = np.full(windows.shape[:2], np.nan)
    for rows, known, states, cell in iter_states(
        regressor, windows, layer=layer, direction=direction
    ):
        norms[rows, known] = cell_gradient_norms(states, cell, path=path, norm=norm)
    return norms


def parts_of_steps(
    regressor: LSTMRegressor,
    windows: Windows,
    *,
    layer: int,
    direction: str,
) -> Bunch:
    """Compute the parts of one cell at every step, each (n_samples, seq_length, units)."""
    shape = (*windows.shape[:2], regressor.net_.architecture.units)
    parts = Bunch(**{part: np.full(shape, np.nan) for part in PARTS})
    for rows, known, states, _ in iter_states(
        regressor, windows, layer=layer, direction=direction
    ):
        for part in PARTS:
            parts[part][rows, known] = states[part]
    return parts


def parts_of_windows(
    regressor: LSTMRegressor,
    windows: Windows,
    *,
    layer: int,
    direction: str,
) -> Bunch:
    """Compute the parts of one cell after the last step read, each (n_samples, units)."""
    shape = (len(windows), regressor.net_.architecture.units)
    parts = Bunch(**{part: np.full(shape, np.nan) for part in PARTS})
    for rows, _, states, cell in iter_states(
        regressor, windows, layer=layer, direction=direction
    ):
        last_read = 0 if cell.direction == "backward" else -1
        for part in PARTS:
            parts[part][rows] = states[part][:, last_read]
    return parts


def iter_states(
    regressor: LSTMRegressor,
    windows: Windows,
    *,
    layer: int,
    direction: str,
) -> Iterator[tuple[NDArray[np.integer], slice, States, Cell]]:
    """Yield rows with equally many known steps, these steps, and the cell's parts there."""
    module, architecture = regressor.net_.own_module, regressor.net_.architecture
    weights = {
        name.removeprefix("lstm."): weight.cpu().numpy()
        for name, weight in effective_weights(module).items()
        if name.startswith("lstm.")
    }
    n_known, seq_length = windows.n_known, windows.seq_length
    layers = make_layers(weights, num_layers=architecture.num_layers)
    layer, cell = _check_cell(layers, layer, direction)
    units = architecture.units
    # Some (T, units) arrays of this chunk and of the previous one, and some Jacobians.
    n_bytes = 8 * (24 * len(layers[0]) * seq_length * units + 12 * units**2)
    n_at_once = max(BYTES_AT_ONCE // n_bytes, 1)
    for length in np.unique(n_known[n_known > 0]):
        known = slice(seq_length - length, None)
        all_rows = np.flatnonzero(n_known == length)
        for part in iter_chunks(len(all_rows), n_at_once):
            rows = all_rows[part]
            # In float32 up to here, as in the network.
            steps = windows.gather(rows)[:, known].astype(np.float32)
            if architecture.residual:
                steps = steps - steps[:, -1:]
            wide = steps.astype(np.float64)
            yield rows, known, states_of_layer(wide, layers, layer, cell), cell


def _check_cell(layers: list[list[Cell]], layer: int, direction: str) -> tuple[int, Cell]:
    """Return the layer, counted from 0, and the requested cell; an error if none."""
    n_layers = len(layers)
    if not -n_layers <= layer < n_layers:
        raise ValueError(
            f"layer={layer!r} is not among the {n_layers} layers of the network. Use 0 to "
            f"{n_layers - 1}, or -1 for the last one."
        )
    for cell in layers[layer]:
        if cell.direction == direction:
            return layer % n_layers, cell
    raise ValueError(
        f"direction={direction!r} needs a network with two directions. Use 'forward', or "
        "fit with bidirectional=True."
    )
