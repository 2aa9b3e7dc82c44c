"""Slow and obvious versions of what the package does fast, to hold it against.

Loops and arithmetic in float64, from the definitions; nothing of the package is used.
"""

import numpy as np


def windows(series, seq_length, horizon, past=None):
    """Window of each row of `series`, as WindowTransformer defines it."""
    past = series[:0] if past is None else past
    steps = np.concatenate([past, series])
    n_samples, n_features = series.shape
    out = np.full((n_samples, seq_length, n_features), np.nan)
    for t in range(n_samples):
        for i in range(seq_length):
            step = len(past) + t - horizon - seq_length + 1 + i
            if step >= 0:
                out[t, i] = steps[step]
    return out


def complete_windows(series, targets, seq_length, horizon):
    """The tutorial's create_sequences: windows without unknown steps, and targets."""
    kept, kept_targets = [], []
    for t in range(len(series)):
        first, last = t - horizon - seq_length + 1, t - horizon
        if first >= 0:
            kept.append(series[first : last + 1])
            kept_targets.append(targets[t])
    return np.array(kept), np.array(kept_targets)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_layer(steps, w_ih, w_hh, b_ih, b_hh):
    """Hidden states (T, units) of one layer over `steps` (T, F), gate by gate.

    Weights are torch's: gates stacked as input, forget, cell, output.
    """
    units = w_hh.shape[1]
    hidden, cell = np.zeros(units), np.zeros(units)
    states = np.zeros((len(steps), units))
    for t, step in enumerate(steps):
        z = w_ih @ step + b_ih + w_hh @ hidden + b_hh
        input_gate = sigmoid(z[:units])
        forget_gate = sigmoid(z[units : 2 * units])
        candidate = np.tanh(z[2 * units : 3 * units])
        output_gate = sigmoid(z[3 * units :])
        cell = forget_gate * cell + input_gate * candidate
        hidden = output_gate * np.tanh(cell)
        states[t] = hidden
    return states


def lstm_regression(window, weights, *, num_layers=1, bidirectional=False):
    """Output (n_outputs,) for one window (T, F), NaN steps left out.

    `weights` is the state_dict of the module as arrays.
    """
    steps = window[~np.isnan(window).any(axis=1)]
    last = []
    for layer in range(num_layers):
        outputs, last = [], []
        for suffix in [f"l{layer}", f"l{layer}_reverse"][: 1 + bidirectional]:
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            arrays = [np.float64(weights[f"lstm.{name}_{suffix}"]) for name in names]
            backwards = suffix.endswith("reverse")
            states = lstm_layer(steps[::-1] if backwards else steps, *arrays)
            last.append(states[-1] if len(states) else np.zeros(arrays[1].shape[1]))
            outputs.append(states[::-1] if backwards else states)
        steps = np.concatenate(outputs, axis=1)
    hidden = np.concatenate(last)
    return np.float64(weights["dense.weight"]) @ hidden + weights["dense.bias"]


def residual_regression(window, weights):
    """The same of the residual form: the window relative to its last step, plus a linear
    map of the last steps, relative too, and of the last one, all standardized; without
    steps, the dense layer's bias.
    """
    if np.isnan(window).all():
        return np.float64(weights["dense.bias"])
    last_step = window[-1]
    departure = lstm_regression(window - last_step, weights)
    columns = list(last_step)
    for step in window[-2::-1]:
        if len(columns) < len(weights["center"]):
            columns = [*(step - last_step), *columns]
    is_read = slice(-len(columns), None)
    standardized = (columns - weights["center"][is_read]) / weights["scale"][is_read]
    return departure + np.float64(weights["linear.weight"][:, is_read]) @ standardized


def lstm_parts(steps, w_ih, w_hh, b_ih, b_hh, change=None):
    """The four gates, cell and hidden state of one layer: a list of six (T, units).

    `change`, a step and what to add to the cell state there, lets the state take another
    course from that step on.
    """
    units = w_hh.shape[1]
    hidden, cell = np.zeros(units), np.zeros(units)
    parts = [np.zeros((len(steps), units)) for _ in range(6)]
    for t, step in enumerate(steps):
        z = w_ih @ step + b_ih + w_hh @ hidden + b_hh
        for u in range(units):
            input_gate, forget_gate = sigmoid(z[u]), sigmoid(z[units + u])
            candidate, output_gate = np.tanh(z[2 * units + u]), sigmoid(z[3 * units + u])
            cell[u] = forget_gate * cell[u] + input_gate * candidate
            if change is not None and change[0] == t:
                cell[u] += change[1][u]
            hidden[u] = output_gate * np.tanh(cell[u])
            values = (input_gate, forget_gate, candidate, output_gate, cell[u], hidden[u])
            for part, value in zip(parts, values, strict=True):
                part[t, u] = value
    return parts


def network_parts(
    window, weights, *, layer, backwards, bidirectional, residual, change=None
):
    """`lstm_parts` of one direction of a layer over a window (T, F), in its order.

    NaN where the window is; `weights` is the state_dict of the module as arrays.
    """
    known = ~np.isnan(window).any(axis=1)
    steps = window[known] - (window[-1] if residual else 0)
    for below in range(layer + 1):
        outputs = []
        for suffix in [f"l{below}", f"l{below}_reverse"][: 1 + bidirectional]:
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            arrays = [np.float64(weights[f"lstm.{name}_{suffix}"]) for name in names]
            reverse = suffix.endswith("reverse")
            asked_for = below == layer and reverse == backwards
            parts = lstm_parts(
                steps[::-1] if reverse else steps, *arrays, change if asked_for else None
            )
            outputs.append([part[::-1] if reverse else part for part in parts])
        steps = np.concatenate([parts[5] for parts in outputs], axis=1)
    full = [np.full((len(window), outputs[0][0].shape[1]), np.nan) for _ in range(6)]
    for whole, part in zip(full, outputs[1 if backwards else 0], strict=True):
        whole[known] = part
    return full


def cell_jacobian(window, weights, step, *, backwards, eps=1e-5, **kwargs):
    """The derivative of the last cell state by the one after `step`, by differences.

    `step` counts the known steps in the order in which they are read.
    """

    def last_cell(change):
        parts = network_parts(
            window, weights, backwards=backwards, change=(step, change), **kwargs
        )
        cells = parts[4][~np.isnan(window).any(axis=1)]
        return cells[0] if backwards else cells[-1]

    units = weights["lstm.weight_hh_l0"].shape[1]
    columns = [
        (last_cell(eps * unit) - last_cell(-eps * unit)) / (2 * eps)
        for unit in np.eye(units)
    ]
    return np.array(columns).T
