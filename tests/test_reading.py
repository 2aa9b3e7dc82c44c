"""What is no array of numbers is told so, wherever it is passed."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from sklstm import LSTMRegressor, WindowTransformer, make_windows

WINDOWS = np.random.default_rng(0).normal(size=(8, 3, 1))
SERIES, TARGETS = WINDOWS[:, 0], WINDOWS[:, 0, 0]


def make_regressor(**params):
    defaults = {"units": 2, "epochs": 1, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


# Each takes a function that makes of an array what is to be passed.
X_ARGUMENTS = {
    "fit": lambda make: make_regressor().fit(make(WINDOWS), TARGETS),
    "fit a table": lambda make: make_regressor().fit(make(WINDOWS[:, :, 0]), TARGETS),
    "predict": lambda make: FITTED.predict(make(WINDOWS)),
    "score": lambda make: FITTED.score(make(WINDOWS), TARGETS),
    "partial_fit": lambda make: make_regressor().partial_fit(make(WINDOWS), TARGETS),
    "X_val": lambda make: make_regressor().fit(
        WINDOWS, TARGETS, X_val=make(WINDOWS), y_val=TARGETS
    ),
    "transformer": lambda make: WindowTransformer(2).fit(make(SERIES)),
    "transform": lambda make: WindowTransformer(2).fit(SERIES).transform(make(SERIES)),
    "make_windows": lambda make: make_windows(make(SERIES), seq_length=2),
}
Y_ARGUMENTS = {
    "fit": lambda make: make_regressor().fit(WINDOWS, make(TARGETS)),
    "score": lambda make: FITTED.score(WINDOWS, make(TARGETS)),
    "y_val": lambda make: make_regressor().fit(
        WINDOWS, TARGETS, X_val=WINDOWS, y_val=make(TARGETS)
    ),
    "make_windows": lambda make: make_windows(SERIES, make(TARGETS), seq_length=2),
}
WEIGHTS = {
    "fit": lambda make: make_regressor().fit(WINDOWS, TARGETS, make(np.abs(TARGETS))),
    "score": lambda make: FITTED.score(WINDOWS, TARGETS, make(np.abs(TARGETS))),
}
FITTED = make_regressor().fit(WINDOWS, TARGETS)
ARGUMENTS = [
    pytest.param(name, use, id=f"{name}, {method}")
    for name, uses in [("X", X_ARGUMENTS), ("y", Y_ARGUMENTS), ("sample_weight", WEIGHTS)]
    for method, use in uses.items()
]


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_masked_values_are_an_error_and_not_the_hidden_ones(name, use):
    def masked(values):
        mask = np.zeros(values.shape, bool)
        mask[5] = True
        return np.ma.masked_array(values, mask)

    message = rf"{name} is a masked array with masked values, the first in row 5\."
    with pytest.raises(ValueError, match=message):
        use(masked)


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_masked_array_without_masked_values_is_an_array(name, use):
    use(lambda values: np.ma.masked_array(values, mask=np.zeros(values.shape, bool)))
    use(np.ma.masked_array)  # without a mask


def test_masked_values_made_nan_are_unknown_steps():
    # As the message says.
    mask = np.zeros(WINDOWS.shape, bool)
    mask[0, 0] = True
    windows = np.ma.masked_array(WINDOWS, mask=mask)
    unknown = WINDOWS.copy()
    unknown[0, 0] = np.nan
    np.testing.assert_array_equal(
        FITTED.predict(windows.filled(np.nan)), FITTED.predict(unknown)
    )


@pytest.mark.parametrize("dtype", ["M8[ns]", "M8[D]", "m8[s]"])
@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_times_are_an_error_and_not_their_nanoseconds(name, use, dtype):
    with pytest.raises(TypeError, match=rf"{name} holds times \(.*, which are not numbers"):
        use(lambda values: (100 * values).astype("i8").astype(dtype))


def test_one_column_of_times_is_enough():
    X = pd.DataFrame({"load": SERIES[:, 0], "day": pd.date_range("2020", periods=8)})
    with pytest.raises(TypeError, match="X holds times"):
        WindowTransformer(2).fit(X)
    with pytest.raises(TypeError, match="X holds times"):
        WindowTransformer(2).fit(X.assign(day=X.day.dt.tz_localize("Europe/Berlin")))


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_number_that_no_float_holds_is_an_error_of_the_argument(name, use):
    # NumPy raises OverflowError.
    def with_huge(values):
        values = values.astype(object)
        values.flat[0] = 10**400
        return values

    with pytest.raises(ValueError, match=f"{name} cannot be read as an array of numbers"):
        use(with_huge)
    with pytest.raises(ValueError, match=f"{name} cannot be read as an array of numbers"):
        use(lambda values: with_huge(values).tolist())


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_tensor_with_a_gradient_is_an_error_of_the_argument(name, use):
    # torch raises RuntimeError.
    with pytest.raises(ValueError, match=rf"{name} cannot .* requires grad"):
        use(lambda values: torch.tensor(values, requires_grad=True))


def test_objects_in_lists_are_numbers_where_they_are():
    # scikit-learn leaves lists of objects as they are, which have no NaN to look for.
    rows = [[[Decimal(str(step))] for step in row] for row in WINDOWS[:, :, 0]]
    np.testing.assert_array_equal(FITTED.predict(rows), FITTED.predict(WINDOWS))


# Labels of X and y


def labelled(order):
    index = pd.date_range("2020", periods=8)
    X = pd.DataFrame(SERIES, index=index)
    return X, pd.Series(TARGETS, index=index).iloc[order]


BOTH = {
    "make_windows": lambda X, y: make_windows(X, y, seq_length=2),
    "fit": lambda X, y: WindowTransformer(2).fit(X, y),
    "fit_transform": lambda X, y: WindowTransformer(2).fit_transform(X, y),
    "regressor": lambda X, y: make_regressor().fit(X, y),
    "partial_fit": lambda X, y: make_regressor().partial_fit(X, y),
}


@pytest.mark.parametrize("use", BOTH.values(), ids=BOTH)
def test_targets_in_another_order_than_their_rows_are_an_error(use):
    X, y = labelled([0, 1, 2, 4, 3, 5, 6, 7])
    with pytest.raises(ValueError, match=r"same labels as X, in another order.*y\.loc"):
        use(X, y)
    # As the message says.
    use(X, y.loc[X.index])
    use(X, y.to_numpy())


@pytest.mark.parametrize("use", BOTH.values(), ids=BOTH)
def test_targets_of_other_labels_are_matched_by_position(use):
    # Labelled by the day that they are known, or not at all.
    X, y = labelled(range(8))
    use(X, y)
    use(X, y.shift(freq="D"))
    use(X, y.reset_index(drop=True))
    use(X, y.rename(lambda day: day.isoformat()))
    use(X, y.set_axis(pd.MultiIndex.from_product([[0], range(8)])))
    use(X, y.set_axis([0] * 8))
