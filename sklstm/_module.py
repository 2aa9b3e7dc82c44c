"""LSTMModule: the network, shapes in and shapes out. torch only."""

import torch
from torch import Tensor, nn


class LSTMModule(nn.Module):
    """An LSTM over each window and a dense layer on its last hidden state.

    Initial weights are those of Keras's ``LSTM`` and ``Dense``: Glorot-uniform input and
    dense weights [1]_, orthogonal recurrent weights [2]_, a forget-gate bias of 1 [3]_ and
    other biases of 0.

    Parameters
    ----------
    n_features, n_outputs : int
        Features of a step, and values predicted from a window.

    units : int
        Size of the hidden state.

    num_layers, dropout, bidirectional
        As in :class:`torch.nn.LSTM`. The masks of `dropout` come from `generator`.

    generator : torch.Generator
        Source of the initial weights and of the dropout masks, so that torch's global
        generator is neither read nor moved.

    References
    ----------
    .. [1] Glorot & Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010.
    .. [2] Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of
       learning in deep linear neural networks", ICLR 2014.
    .. [3] Jozefowicz, Zaremba & Sutskever, "An empirical exploration of recurrent network
       architectures", ICML 2015.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        units: int,
        num_layers: int,
        dropout: float,
        bidirectional: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.generator = generator
        # Made without values ("meta"): torch's own initial values would move its global
        # generator.
        self.lstm = nn.LSTM(
            n_features,
            units,
            num_layers=num_layers,
            dropout=dropout,
            bidirectional=bidirectional,
            batch_first=True,
            device="meta",
        ).to_empty(device=generator.device)
        width = units * (2 if bidirectional else 1)
        self.dense = nn.Linear(width, n_outputs, device="meta")
        self.dense.to_empty(device=generator.device)
        self._initialize_as_keras()

    def forward(self, windows: Tensor) -> Tensor:
        """Predict (B, n_outputs) from windows (B, seq_length, n_features).

        Windows of no steps are predicted from the state before the first one, zero.
        """
        if windows.shape[1] == 0:
            hidden = windows.new_zeros(len(windows), self.dense.in_features)
        elif self.training and self.lstm.dropout > 0:
            hidden = self._last_hidden_with_dropout(windows)
        else:
            _, (last_hidden, _) = self.lstm(windows)
            hidden = self._both_directions(last_hidden)
        return self.dense(hidden)

    def _both_directions(self, last_hidden: Tensor) -> Tensor:
        """The last layer's part of (layers * directions, B, units): (B, width)."""
        n_directions = 2 if self.lstm.bidirectional else 1
        return torch.cat(tuple(last_hidden[-n_directions:]), dim=-1)

    def _last_hidden_with_dropout(self, windows: Tensor) -> Tensor:
        """Layer by layer, since torch's dropout knows only the global generator."""
        lstm, steps = self.lstm, windows
        n_directions = 2 if lstm.bidirectional else 1
        state = windows.new_zeros(n_directions, len(windows), lstm.hidden_size)
        for layer in range(lstm.num_layers):
            if layer > 0:
                steps = steps * self._dropout_mask(steps)
            directions = lstm.all_weights[layer * n_directions :][:n_directions]
            steps, last_hidden, _ = torch.lstm(
                steps,
                (state, state),
                [weight for weights in directions for weight in weights],
                has_biases=True,
                num_layers=1,
                dropout=0.0,
                train=True,
                bidirectional=lstm.bidirectional,
                batch_first=True,
            )
        return self._both_directions(last_hidden)

    def _dropout_mask(self, steps: Tensor) -> Tensor:
        kept = 1.0 - self.lstm.dropout
        mask = torch.empty(steps.shape, device=self.generator.device)
        return mask.bernoulli_(kept, generator=self.generator).div_(kept).to(steps)

    @torch.no_grad()
    def _initialize_as_keras(self) -> None:
        generator = self.generator
        for name, weight in self.lstm.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(weight, generator=generator)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(weight, generator=generator)
            else:
                nn.init.zeros_(weight)
            if name.startswith("bias_ih"):  # torch adds bias_ih and bias_hh
                weight.view(4, -1)[1] = 1.0  # gates: input, forget, cell, output
        nn.init.xavier_uniform_(self.dense.weight, generator=generator)
        nn.init.zeros_(self.dense.bias)
