"""LSTMModule: the network, shapes in and shapes out. torch only."""

import warnings
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from sklstm._network._cells import gate_slice
from sklstm._network._dense import RowwiseLinear
from sklstm._network._known_steps import KnownSteps
from sklstm._types import Keywords

# Columns (steps times features) that the linear map reads at most. Its start solves a
# system of as many equations, a matter of a second for so many, and of minutes for ten
# times as many.
MOST_LINEAR_COLUMNS = 1000


class LSTMModule(nn.Module):
    """An LSTM over each window and a dense layer on its last hidden state.

    With `residual`, the LSTM reads each window relative to its last step, and a linear map
    of the window is added: the network models the departure from a linear forecast. The map
    reads the steps relative to the last one, as NLinear [4]_ does, and the last one itself;
    a network beside a linear map is also the form of LSTNet [5]_.

    Initial weights are those of Keras's ``LSTM`` and ``Dense``: Glorot-uniform input and
    dense weights [1]_, orthogonal recurrent weights [2]_, a forget-gate bias of 1 [3]_ and
    other biases of 0. With `residual`, dense weights start at 0, so that training starts at
    the linear forecast.

    Parameters
    ----------
    n_features, n_outputs : int
        Features of a step, and targets predicted from a window.

    units : int
        Size of the hidden state.

    num_layers, dropout, bidirectional
        As in :class:`torch.nn.LSTM`. The masks of `dropout` come from `generator`.

    residual : bool
        Whether to add the linear map; it starts at 0 until `start_linear` is called.

    n_levels : int
        Values predicted for each target, side by side: several quantiles.

    seq_length : int
        Steps of a window, of which the linear map reads the last ones, as many as make
        `MOST_LINEAR_COLUMNS` columns but at least one. Without `residual` it is not used.

    generator : torch.Generator or None
        Source of the initial weights and of the dropout masks, so that torch's global
        generator is neither read nor moved. None makes a module of shapes alone, without
        values, on the device "meta".

    References
    ----------
    .. [1] Glorot & Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010.
    .. [2] Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of
       learning in deep linear neural networks", ICLR 2014.
    .. [3] Jozefowicz, Zaremba & Sutskever, "An empirical exploration of recurrent network
       architectures", ICML 2015.
    .. [4] Zeng, Chen, Zhang & Xu, "Are transformers effective for time series
       forecasting?", AAAI 2023.
    .. [5] Lai, Chang, Yang & Liu, "Modeling long- and short-term temporal patterns with
       deep neural networks", SIGIR 2018.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        units: int,
        num_layers: int,
        dropout: float,
        bidirectional: bool,
        residual: bool = False,
        n_levels: int = 1,
        seq_length: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.n_features, self.units, self.n_levels = n_features, units, n_levels
        n_values = n_outputs * n_levels
        self.generator = generator
        width = units * (2 if bidirectional else 1)
        shapes_alone: Keywords = {"dtype": torch.float32, "device": "meta"}
        self.lstm = nn.LSTM(
            n_features,
            units,
            num_layers=num_layers,
            dropout=dropout if num_layers > 1 else 0.0,  # torch warns of one layer
            bidirectional=bidirectional,
            batch_first=True,
            **shapes_alone,
        )
        self.dense = RowwiseLinear(width, n_values, **shapes_alone)
        self.linear: RowwiseLinear | None = None
        self.linear_steps = n_linear_steps(seq_length, n_features) if residual else 0
        if residual:
            n_columns = self.linear_steps * n_features
            self.linear = RowwiseLinear(n_columns, n_values, bias=False, **shapes_alone)
            self.register_buffer("center", torch.zeros(n_columns, **shapes_alone))
            self.register_buffer("scale", torch.ones(n_columns, **shapes_alone))
        if generator is not None:
            # torch's own initial values would move its global generator.
            self.to_empty(device=generator.device)
            self._initialize_as_keras(generator)

    def forward(self, windows: Tensor) -> Tensor:
        """Predict (B, n_outputs * n_levels) from windows (B, seq_length, n_features).

        Windows of no steps are predicted from the state before the first one, zero.
        """
        if windows.shape[1] == 0:
            return self.dense(windows.new_zeros(len(windows), self.dense.in_features))
        return self.outputs(windows, self.dropout_masks(windows))

    def outputs(
        self, windows: Tensor, masks: Sequence[Tensor], n_known: Tensor | None = None
    ) -> Tensor:
        """Predict from windows of some steps, with the given masks of `dropout_masks`.

        With `n_known` (B,), each row is predicted from as many last steps, at least one;
        the steps before may hold any finite values.
        """
        known = KnownSteps.of(n_known, windows)
        inputs, columns = self.read_windows(windows, known)
        outputs = self.dense(self._last_hidden(inputs, masks, known))
        return outputs if self.linear is None else outputs + self.linear(columns)

    def read_windows(self, windows: Tensor, known: KnownSteps) -> tuple[Tensor, Tensor]:
        """Return what the LSTM reads, and what the linear map reads, (B, n_columns).

        Without `residual`, the LSTM reads the windows as they are, and the map nothing.
        """
        last_step = windows[:, -1:]
        if self.linear is None:
            return windows, windows.new_empty(len(windows), 0)
        relative = windows - last_step
        earlier = relative[:, -self.linear_steps : -1]
        columns = torch.cat([earlier, last_step], dim=1).flatten(1)
        n_unknown = max(0, (self.linear_steps - windows.shape[1]) * self.n_features)
        columns = (columns - self.center[n_unknown:]) / self.scale[n_unknown:]
        if not known.are_all:
            steps = columns.unflatten(1, (-1, self.n_features))
            columns = known.without_unknown(steps).flatten(1)
        # Steps before those that are known count as their mean over the training rows.
        return relative, nn.functional.pad(columns, (n_unknown, 0))

    def weights(self) -> list[Tensor]:
        """Return all weights in the order of `parameters`, which looks each up by name."""
        of_lstm: list[Any] = self.lstm._flat_weights
        linear = [] if self.linear is None else [self.linear.weight]
        return [*of_lstm, self.dense.weight, self.dense.bias, *linear]

    def weights_of_layers(self) -> list[list[list[nn.Parameter]]]:
        """Two weights and two biases of each direction of each layer, in torch's order."""
        # `all_weights`, which is public, looks each up by name: a tenth of a small step.
        weights: list[Any] = self.lstm._flat_weights
        directions = [weights[first : first + 4] for first in range(0, len(weights), 4)]
        n_directions = 2 if self.lstm.bidirectional else 1
        return [
            directions[first : first + n_directions]
            for first in range(0, len(directions), n_directions)
        ]

    def dropout_masks(self, windows: Tensor) -> list[Tensor]:
        """A mask (B, seq_length, width) for the steps between each two layers, if any."""
        if not self.training or self.lstm.dropout == 0:
            return []
        assert self.generator is not None
        kept, shape = 1.0 - self.lstm.dropout, (*windows.shape[:2], self.dense.in_features)
        return [
            torch.empty(shape, dtype=windows.dtype, device=self.generator.device)
            .bernoulli_(kept, generator=self.generator)
            .div_(kept)
            .to(windows)
            for _ in range(self.lstm.num_layers - 1)
        ]

    @torch.no_grad()
    def start_linear(
        self, slopes: Tensor, intercept: Tensor, center: Tensor, scale: Tensor
    ) -> None:
        """Start the linear map at (n_outputs, n_columns) slopes of standardized columns.

        The columns are the steps relative to the last one, oldest first, then the last one
        itself. The intercept is the dense layer's bias, which is also the prediction of a
        window without steps: the mean of the targets, if columns are centred on their mean.
        """
        assert self.linear is not None
        self.linear.weight.copy_(slopes.repeat_interleave(self.n_levels, dim=0))
        self.dense.bias.copy_(intercept.repeat_interleave(self.n_levels))
        self.center.copy_(center)
        self.scale.copy_(scale)

    def _last_hidden(
        self, windows: Tensor, masks: Sequence[Tensor], known: KnownSteps
    ) -> Tensor:
        if masks or not known.are_all:
            return self._last_hidden_by_layers(windows, masks, known)
        _, (last_hidden, _) = self.lstm(windows)
        # The last layer's part of (layers * directions, B, units): (B, width).
        if not self.lstm.bidirectional:
            return last_hidden[-1]
        return torch.cat((last_hidden[-2], last_hidden[-1]), dim=-1)

    def _last_hidden_by_layers(
        self, windows: Tensor, masks: Sequence[Tensor], known: KnownSteps
    ) -> Tensor:
        """Layer by layer and direction by direction.

        torch's own dropout knows only the global generator, and directions take the known
        steps in orders of their own.
        """
        steps, state = (
            windows.transpose(0, 1),
            windows.new_zeros(1, len(windows), self.units),
        )
        outputs: list[Tensor] = []
        for layer, directions in enumerate(self.weights_of_layers()):
            if layer > 0:
                steps = torch.cat(
                    [known.in_time_order(out, d) for d, out in enumerate(outputs)], dim=-1
                )
                if masks:
                    steps = steps * masks[layer - 1].transpose(0, 1)
            outputs = [
                _direction_outputs(known.in_reading_order(steps, d), state, weights, d)
                for d, weights in enumerate(directions)
            ]
        last = [known.last_read(out, d) for d, out in enumerate(outputs)]
        return torch.cat(last, dim=-1)

    @torch.no_grad()
    def _initialize_as_keras(self, generator: torch.Generator) -> None:
        for name, weight in self.lstm.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(weight, generator=generator)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(weight, generator=generator)
            else:
                nn.init.zeros_(weight)
            if name.startswith("bias_ih"):  # torch adds bias_ih and bias_hh
                weight[gate_slice("forget_gate", self.units)] = 1.0
        nn.init.zeros_(self.dense.bias)
        if self.linear is None:
            nn.init.xavier_uniform_(self.dense.weight, generator=generator)
        else:
            nn.init.zeros_(self.dense.weight)
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.center)
            nn.init.ones_(self.scale)


def _direction_outputs(
    steps: Tensor, state: Tensor, weights: Sequence[Tensor], direction: int
) -> Tensor:
    """Return the hidden states (n_steps, B, units) of one direction of one layer."""
    if direction == 1:
        return _direction_outputs(steps.flip(0), state, weights, 0).flip(0)
    with warnings.catch_warnings():
        if steps.device.type != "cpu":  # cuDNN copies the weights, which are few
            warnings.filterwarnings("ignore", message="RNN module weights are not part of")
        outputs, _, _ = torch.lstm(
            steps,
            (state, state),
            [*weights],
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=True,
            bidirectional=False,
            batch_first=False,
        )
    return outputs


def n_linear_steps(seq_length: int, n_features: int) -> int:
    """Return the number of last steps of a window that the linear map reads."""
    return max(1, min(seq_length, MOST_LINEAR_COLUMNS // n_features))


def effective_weights(module: LSTMModule) -> dict[str, Tensor]:
    """Return the weights that the forward pass uses, also where they are parametrized."""
    residual = module.linear is not None
    shapes_alone = LSTMModule(
        module.n_features,
        module.dense.out_features,
        units=module.units,
        num_layers=module.lstm.num_layers,
        dropout=0.0,
        bidirectional=module.lstm.bidirectional,
        residual=residual,
        seq_length=module.linear_steps,
    )
    return {name: attrgetter(name)(module).detach() for name in shapes_alone.state_dict()}
