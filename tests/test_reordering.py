"""What docs/how-to/tools-that-reorder-rows.md says of each tool of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import RANSACRegressor, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    train_test_split,
    validation_curve,
)
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer, make_windows
from tests.pages import DOCS

N = 120
INDEX = pd.date_range("2024-01-01", periods=N, freq="h")
LEVEL = np.sin(0.3 * np.arange(N)) + np.random.default_rng(0).normal(0, 0.1, N)
X = pd.DataFrame({"level": LEVEL, "noise": LEVEL[::-1] ** 2}, index=INDEX)
Y = X["level"]
BOTH = X.to_numpy()
IN_ORDER = TimeSeriesSplit(3)
MODEL = make_pipeline(WindowTransformer(3), LSTMRegressor(2, epochs=1, random_state=0))
GRID = {"lstmregressor__units": [2, 3]}
PAGE = (DOCS / "how-to" / "tools-that-reorder-rows.md").read_text("utf-8")
LEFT_OUT = "The index of . leaves out|is not the step after"


def scores(cv, **params):
    return cross_val_score(MODEL, X, Y, cv=cv, error_score="raise", **params)


def split_and_fit(**params):
    train, test, y_train, _ = train_test_split(X, Y, random_state=0, **params)
    return clone(MODEL).fit(train, y_train).predict(test)


def curve(**params):
    return learning_curve(MODEL, X, Y, train_sizes=[15, 20], error_score="raise", **params)


def importance(**params):
    fitted = clone(MODEL).fit(X[:80], Y[:80])
    return permutation_importance(fitted, X[80:], Y[80:], random_state=0, **params)


def fit(estimator, y=Y):
    return estimator.fit(X, y).predict(X)


def search(cls=GridSearchCV, **params):
    return cls(MODEL, GRID, error_score="raise", **params).fit(X, Y)


def halve(**params):
    return search(HalvingGridSearchCV, cv=IN_ORDER, random_state=0, factor=2, **params)


def prefit_stack():
    stack = StackingRegressor([("lstm", clone(MODEL).fit(X[:60], Y[:60]))], cv="prefit")
    return stack.fit(X[60:], Y[60:]).predict(X[60:])


ERROR = {
    "train_test_split": split_and_fit,
    "ShuffleSplit": lambda: scores(ShuffleSplit(2, random_state=0)),
    "HalvingGridSearchCV": lambda: halve(min_resources=60),
    "learning_curve(shuffle=True)": lambda: curve(
        cv=IN_ORDER, shuffle=True, random_state=0
    ),
    "permutation_importance(max_samples=0.5)": lambda: importance(max_samples=0.5),
}
WARNING = {
    "KFold": lambda: scores(KFold(3)),
    "GroupKFold": lambda: scores(GroupKFold(3), groups=np.arange(N) // 40),
    "KFold(shuffle=True)": lambda: scores(KFold(3, shuffle=True, random_state=0)),
    "RepeatedKFold": lambda: scores(RepeatedKFold(n_splits=3, n_repeats=1, random_state=0)),
    "TimeSeriesSplit(gap=5)": lambda: scores(TimeSeriesSplit(3, gap=5)),
    "cross_val_predict": lambda: cross_val_predict(MODEL, X, Y),
    "GridSearchCV": search,
    "validation_curve": lambda: validation_curve(
        MODEL, X, Y, param_name="lstmregressor__units", param_range=[2]
    ),
    "SequentialFeatureSelector": lambda: SequentialFeatureSelector(
        MODEL, n_features_to_select=1
    ).fit(X, Y),
    "learning_curve": lambda: curve(cv=IN_ORDER),
    "StackingRegressor": lambda: fit(StackingRegressor([("lstm", MODEL)])),
}
NEVER_NOTICED = {
    "BaggingRegressor": lambda: fit(BaggingRegressor(MODEL, 2, random_state=0)),
    "BaggingRegressor(bootstrap=False)": lambda: fit(
        BaggingRegressor(MODEL, 2, bootstrap=False, random_state=0)
    ),
    "AdaBoostRegressor": lambda: fit(
        AdaBoostRegressor(MODEL, n_estimators=2, random_state=0)
    ),
    "RANSACRegressor": lambda: fit(
        RANSACRegressor(MODEL, min_samples=60, max_trials=2, random_state=0)
    ),
}
# The ways out, and the tools that are right as they are.
QUIET = {
    "train_test_split": lambda: split_and_fit(shuffle=False),
    "TimeSeriesSplit": lambda: scores(IN_ORDER),
    "TimeSeriesSplit(max_train_size=…)": lambda: scores(
        TimeSeriesSplit(3, max_train_size=20)
    ),
    "GridSearchCV": lambda: search(cv=IN_ORDER),
    "lstmregressor__epochs": lambda: halve(
        resource="lstmregressor__epochs", min_resources=1, max_resources=2
    ),
    "prefit": prefit_stack,
    "permutation_importance": importance,
    "VotingRegressor": lambda: fit(VotingRegressor([("lstm", MODEL)])),
    "MultiOutputRegressor": lambda: fit(MultiOutputRegressor(MODEL), BOTH),
    "RegressorChain": lambda: fit(RegressorChain(MODEL), BOTH),
}


@pytest.mark.parametrize("tool", ERROR)
def test_wrong_order_is_an_error_where_an_index_shows_it(tool):
    with pytest.raises(ValueError, match="not increasing"):
        ERROR[tool]()


@pytest.mark.parametrize("tool", WARNING)
@pytest.mark.filterwarnings("ignore:The index of", "ignore:X starts at")
def test_rows_that_are_left_out_are_a_warning_where_an_index_shows_it(tool):
    with pytest.warns(UserWarning, match=LEFT_OUT):
        WARNING[tool]()


@pytest.mark.parametrize("tool", NEVER_NOTICED)
def test_nothing_shows_where_a_tool_drops_the_index_and_is_quiet(tool):
    # Warnings are errors here.
    predictions = NEVER_NOTICED[tool]()
    in_order = clone(MODEL).fit(X, Y).predict(X)
    assert not np.allclose(predictions, in_order)


@pytest.mark.parametrize("tool", QUIET)
def test_ways_out_are_quiet(tool):
    assert QUIET[tool]() is not None


@pytest.mark.parametrize("tool", [*ERROR, *WARNING, *NEVER_NOTICED, *QUIET])
def test_page_names_the_tool(tool):
    assert tool.partition("(")[0] in PAGE


def test_folds_in_time_order_are_refused_where_each_row_needs_a_prediction():
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(MODEL, X, Y, cv=IN_ORDER)
    with pytest.raises(ValueError, match="only works for partitions"):
        StackingRegressor([("lstm", MODEL)], cv=IN_ORDER).fit(X, Y)


def test_complete_windows_may_be_drawn():
    windows, targets = make_windows(X, Y, seq_length=3)
    rows = windows.reshape(len(windows), -1)
    bagging = BaggingRegressor(Ridge(), n_estimators=3, random_state=0).fit(rows, targets)
    means = [
        member.predict(rows[:, columns])
        for member, columns in zip(
            bagging.estimators_, bagging.estimators_features_, strict=True
        )
    ]
    np.testing.assert_allclose(bagging.predict(rows), np.mean(means, axis=0))
    assert bagging.score(rows, targets) > 0.8
