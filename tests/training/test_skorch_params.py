"""Which arguments of skorch a user may pass."""

import pytest

from sklstm._training._skorch_params import RESERVED, check_skorch_params


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"optimizer__weight_decay": 0.1},
        {"callbacks": []},
        {"callbacks": None},
        {"compile": True},
    ],
)
def test_arguments_that_no_parameter_sets_pass(params):
    assert check_skorch_params(params) is params


@pytest.mark.parametrize("name", RESERVED)
def test_arguments_that_a_parameter_sets_name_it(name):
    with pytest.raises(ValueError, match=r"which LSTMRegressor sets itself\. Use its own"):
        check_skorch_params({name: 1})


def test_arguments_of_a_reserved_part_are_reserved_too():
    with pytest.raises(ValueError, match=r"'module__units', which .* own units"):
        check_skorch_params({"module__units": 3})


def test_keys_that_are_no_names_are_an_error():
    with pytest.raises(ValueError, match="as keys, got 3"):
        check_skorch_params({3: "x"})


def test_callbacks_have_to_be_a_list():
    with pytest.raises(ValueError, match="should be a list of skorch callbacks, got 'all'"):
        check_skorch_params({"callbacks": "all"})
