"""Construction of a net: its module, optimizer, callbacks and random generators.

`WindowNet` itself, and how it trains, is in `_net`.
"""

from dataclasses import asdict

import numpy as np
import torch
from skorch.callbacks import Callback, GradientNormClipping
from skorch.helper import predefined_split

from sklstm._network._adam import FusedAdam
from sklstm._network._losses import resolve_loss
from sklstm._network._module import LSTMModule
from sklstm._network._runtime import one_thread
from sklstm._training._callbacks import KeepBestWeights
from sklstm._training._config import Architecture, Training
from sklstm._training._data import WindowSet
from sklstm._training._net import WindowNet
from sklstm._types import Keywords


def make_module(architecture: Architecture, generator: torch.Generator) -> LSTMModule:
    """Make the module, or raise a clear error if it does not fit into memory."""
    try:
        with one_thread():  # the bits of orthogonal weights depend on the threads
            return LSTMModule(**asdict(architecture), generator=generator)
    except (RuntimeError, MemoryError, TypeError, OverflowError) as error:
        raise ValueError(
            f"A network of units={architecture.units} and num_layers="
            f"{architecture.num_layers} for {architecture.n_features} features cannot be "
            f"allocated: {str(error).splitlines()[0]} Lower units."
        ) from error


def make_net(
    architecture: Architecture,
    training: Training,
    *,
    device: str,
    seed: int = 0,
    validation: WindowSet | None = None,
) -> WindowNet:
    """Make a net with Keras's initial weights; all random draws come from `seed`."""
    # Two generators, so that each continues where it stopped after the net was saved.
    initial_seed, order_seed = np.random.SeedSequence(seed).generate_state(2)
    module = make_module(
        architecture, torch.Generator("cpu").manual_seed(int(initial_seed))
    )
    # Callbacks are not copied, as in skorch, since they report to objects of the user.
    skorch_params = _default_optimizer(training.skorch_params, device)
    skorch_params |= training.skorch_params
    loss = resolve_loss(training.loss, training.quantiles)
    criterion = {f"criterion__{name}": p for name, p in loss.criterion_params.items()}
    net = WindowNet(
        module,
        generator=torch.Generator("cpu").manual_seed(int(order_seed)),
        architecture=architecture,
        training=training,
        criterion=loss.criterion,
        **criterion,
        criterion__reduction="none",
        lr=training.learning_rate,
        max_epochs=training.epochs,
        batch_size=training.batch_size,
        train_split=None if validation is None else predefined_split(validation),
        callbacks=_callbacks(training, skorch_params.pop("callbacks", None) or []),
        verbose=training.verbose,
        device=device,
        **skorch_params,
    )
    return _initialized(net, training)


def _default_optimizer(skorch_params: Keywords, device: str) -> Keywords:
    """Return Adam, with its fused kernel if torch has one, unless another is given."""
    if "optimizer" in skorch_params:
        return {}
    is_fused = torch.device(device).type in ("cpu", "cuda")
    # torch refuses both at once; asked for, the other kernel is Adam's as in skorch itself.
    is_fused = is_fused and not skorch_params.get("optimizer__foreach")
    return {"optimizer": FusedAdam} if is_fused else {"optimizer": torch.optim.Adam}


def _initialized(net: WindowNet, training: Training) -> WindowNet:
    """Initialize the optimizer and callbacks; an error names the `skorch_params`."""
    try:
        return net.initialize()
    except Exception as error:
        if not training.skorch_params:
            raise
        raise ValueError(
            f"A net cannot be made with the skorch_params {sorted(training.skorch_params)}"
            f": {error}"
        ) from error


def _callbacks(training: Training, user_callbacks: list[Callback]) -> list[Callback]:
    callbacks: list[Callback] = []
    if training.max_grad_norm is not None:
        callbacks.append(("max_grad_norm", GradientNormClipping(training.max_grad_norm)))
    if training.n_iter_no_change is not None:
        stopping = KeepBestWeights(training.n_iter_no_change, training.tol)
        callbacks.append(("keep_best_weights", stopping))
    return callbacks + user_callbacks
