"""What a fit is decided by: parameters as the types that torch takes, and one seed."""

import pickle

import numpy as np
import pytest

from sklstm import LSTMRegressor
from sklstm._training._config import Architecture, Training, TrainingConfig


def config_of(*, is_start=True, epochs=3, **params):
    regressor = LSTMRegressor(**{"device": "cpu"} | params)
    return TrainingConfig.of(
        regressor, seq_length=4, n_features=2, n_outputs=1, epochs=epochs, is_start=is_start
    )


def test_parameters_of_numpy_become_plain_ones():
    # torch.nn.LSTM refuses np.int64.
    config = config_of(
        units=np.int64(3),
        num_layers=np.int32(2),
        dropout=np.float32(0.5),
        bidirectional=np.True_,
        batch_size=np.int64(4),
        learning_rate=np.float64(0.01),
        verbose=np.int64(1),
        loss="quantile",
        quantiles=np.array([0.25, 0.5]),
    )
    plain = (int, float, bool, str, dict, type(None))
    for part in (config.architecture, config.training):
        for name, value in vars(part).items():
            values = value if name == "quantiles" else [value]
            assert all(type(one) in plain for one in values), name
    assert config.training.quantiles == (0.25, 0.5)
    assert config.architecture == Architecture(4, 2, 1, 3, 2, 0.5, True, False, 2)
    assert config.training.batch_size == 4


def test_patience_is_none_unless_validation_stops_the_fit():
    assert Training.of(LSTMRegressor(n_iter_no_change=7), epochs=1).n_iter_no_change is None
    stopping = LSTMRegressor(n_iter_no_change=7, early_stopping=True)
    assert Training.of(stopping, epochs=1).n_iter_no_change == 7


def test_seed_is_that_of_the_random_state():
    assert config_of(random_state=0).seed == config_of(random_state=0).seed
    assert config_of(random_state=0).seed != config_of(random_state=1).seed
    drawing = np.random.RandomState(0)
    assert config_of(random_state=drawing).seed != config_of(random_state=drawing).seed


def test_fit_that_continues_draws_no_seed():
    drawing = np.random.RandomState(0)
    before = pickle.dumps(drawing.get_state())
    assert config_of(random_state=drawing, is_start=False).seed == 0
    assert pickle.dumps(drawing.get_state()) == before


def test_no_random_state_leaves_the_global_generator_alone():
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    config_of(random_state=None)
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


def test_weight_shapes_are_those_of_torch():
    # 4 gates of 3 units over 2 features, of 3 units each way; the dense layer reads both.
    shapes = config_of(units=3, bidirectional=True).architecture.weight_shapes()
    assert shapes["lstm.weight_ih_l0"] == (12, 2)
    assert shapes["lstm.weight_hh_l0_reverse"] == (12, 3)
    assert shapes["dense.weight"] == (1, 6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"num_layers": 1001}, "num_layers=1001 is more than the 1000 layers"),
        ({"units": 10**8}, "units=100000000 .* takes more to train than this machine's"),
        ({"units": 10**30}, "takes more to train than this machine's"),
        ({"learning_rate": 1e38}, "learning_rate=1e.38 is beyond the range of float32"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_named(params, message):
    with pytest.raises(ValueError, match=message):
        config_of(**params)
