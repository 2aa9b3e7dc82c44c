"""Levels of quantiles, checked, and the start of their outputs."""

import numpy as np
import pytest
import torch

from sklstm._network._module import LSTMModule
from sklstm._network._prediction import predict
from sklstm._training._data import WindowSet
from sklstm._training._quantiles import (
    check_quantiles,
    fault_of_quantiles,
    main_level,
    start_at_quantiles,
)


def test_levels_lose_the_rounding_of_linspace():
    assert check_quantiles(np.arange(1, 10) * 0.1, "quantile")[2] == 0.3


def test_other_losses_predict_no_levels():
    assert check_quantiles((0.1, 0.5, 0.9), "huber") == ()


@pytest.mark.parametrize(
    "levels", [(), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5), (0.9, 0.5), "a"]
)
def test_levels_that_do_not_increase_between_0_and_1_are_an_error(levels):
    with pytest.raises(ValueError, match="strictly increasing levels between 0 and 1"):
        check_quantiles(levels, "quantile")


def test_several_levels_need_the_median_which_predict_returns():
    with pytest.raises(ValueError, match=r"lacks 0\.5, the median"):
        check_quantiles((0.1, 0.9), "quantile")


def test_main_level_is_the_median_or_the_only_level():
    assert main_level((0.1, 0.5, 0.9)) == 1
    assert main_level((0.9,)) == 0


@pytest.mark.parametrize(
    ("loss", "quantiles", "n_levels"),
    [("quantile", (0.5,), 3), ("squared_error", (0.5,), 1), ("quantile", 0.5, 1)],
)
def test_saved_levels_that_are_not_those_of_the_network_are_a_fault(
    loss, quantiles, n_levels
):
    assert fault_of_quantiles(loss, quantiles, n_levels) is not None


def test_saved_levels_of_the_network_have_no_fault():
    assert fault_of_quantiles("quantile", (0.1, 0.5, 0.9), 3) is None
    assert fault_of_quantiles("squared_error", (), 1) is None


@pytest.mark.parametrize("weighted", [False, True])
def test_outputs_start_at_the_quantiles_of_the_targets(weighted):
    levels = (0.1, 0.5, 0.9)
    module = LSTMModule(
        1,
        2,
        units=2,
        num_layers=1,
        dropout=0.0,
        bidirectional=False,
        n_levels=3,
        generator=torch.Generator().manual_seed(0),
    )
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(1000, 2)) * [1, 10] + [0, 5]
    windows = WindowSet.of_arrays(np.zeros((1000, 4, 1)), targets)
    weights = np.where(targets[:, 0] > 0, 3.0, 1.0) if weighted else np.ones(1000)
    if weighted:
        windows = WindowSet(windows.windows, targets, np.arange(1000), weights)
    start_at_quantiles(module, windows, levels)
    outputs = predict(module, windows.windows)  # (n, n_outputs * n_levels)
    for column in range(6):
        is_below = targets[:, column // 3] <= outputs[:, column] + 1e-6
        share = np.average(is_below, weights=weights)
        assert share == pytest.approx(levels[column % 3], abs=0.005)
