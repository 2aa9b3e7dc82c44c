"""The series that is trained on: the tutorial's noisy sine, at any length."""

import numpy as np

from sklstm import make_windows


def noisy_sine(n_steps):
    """``sin(0.1 t)`` with noise of standard deviation 0.1."""
    noise = np.random.default_rng(0).normal(scale=0.1, size=n_steps)
    return np.sin(0.1 * np.arange(n_steps)) + noise


def windows_of(n_windows, seq_length, n_features=1):
    """So many windows of so many steps, of the sine and as many delayed copies."""
    sine = noisy_sine(n_windows + seq_length + n_features)
    series = np.stack([sine[i : len(sine) - n_features + i] for i in range(n_features)], 1)
    return make_windows(series, series[:, 0], seq_length=seq_length)
