"""Tensors to arrays and back, in nested dicts and lists."""

import numpy as np
import torch

from sklstm._types import Tree


def to_arrays(state: Tree) -> Tree:
    """Return a copy of nested dicts and lists, with arrays in place of tensors."""
    if isinstance(state, torch.Tensor):
        return state.detach().cpu().numpy().copy()
    if isinstance(state, dict):
        return {key: to_arrays(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [to_arrays(value) for value in state]
    return state


def to_tensors(state: Tree) -> Tree:
    """Return a copy of nested dicts and lists, with tensors in place of arrays."""
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, dict):
        return {key: to_tensors(value) for key, value in state.items()}
    if isinstance(state, list):
        return [to_tensors(value) for value in state]
    return state
