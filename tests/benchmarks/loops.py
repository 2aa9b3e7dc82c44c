"""What a user would write by hand, as good as it gets, and skorch as it comes."""

import numpy as np
import torch
from skorch import NeuralNetRegressor
from torch import nn
from torch.nn.functional import mse_loss


class Network(nn.Module):
    """The tutorial's network: an LSTM and a dense layer on its last hidden state."""

    def __init__(self, n_features, units):
        super().__init__()
        self.lstm = nn.LSTM(n_features, units, batch_first=True)
        self.dense = nn.Linear(units, 1)

    def forward(self, windows):
        _, (last_hidden, _) = self.lstm(windows)
        return self.dense(last_hidden[-1])


def train_by_hand(windows, targets, *, units, epochs, batch_size):
    """The best plain loop: index tensors for batches, a fused optimizer, few calls.

    Tried and left out, as no faster: DataLoader and TensorDataset, ``zero_grad`` into
    zeros, a loss module, a set of shuffled windows gathered once an epoch.
    """
    module = Network(windows.shape[2], units)
    adam = torch.optim.Adam(module.parameters(), lr=0.001, fused=True)
    windows = torch.from_numpy(np.asarray(windows, dtype=np.float32))
    targets = torch.from_numpy(np.asarray(targets, dtype=np.float32))[:, None]
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(windows)).split(batch_size):
            adam.zero_grad()
            loss = mse_loss(module(windows[rows]), targets[rows])
            loss.backward()
            adam.step()
            total += loss.item() * len(rows)
        losses.append(total / len(windows))
    return module, losses


def train_with_dataloader(windows, targets, *, units, epochs, batch_size):
    """The loop of most tutorials."""
    module = Network(windows.shape[2], units)
    adam, criterion = torch.optim.Adam(module.parameters(), lr=0.001), nn.MSELoss()
    dataset = torch.utils.data.TensorDataset(
        torch.tensor(windows, dtype=torch.float32),
        torch.tensor(targets, dtype=torch.float32)[:, None],
    )
    loader = torch.utils.data.DataLoader(dataset, batch_size, shuffle=True)
    for _ in range(epochs):
        for batch, wanted in loader:
            adam.zero_grad()
            loss = criterion(module(batch), wanted)
            loss.backward()
            adam.step()
    return module


def train_with_skorch(windows, targets, *, units, epochs, batch_size):
    """skorch's regressor as its documentation shows it."""
    net = NeuralNetRegressor(
        Network,
        module__n_features=windows.shape[2],
        module__units=units,
        optimizer=torch.optim.Adam,
        lr=0.001,
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    return net.fit(
        np.asarray(windows, dtype=np.float32), np.float32(targets)[:, np.newaxis]
    )
