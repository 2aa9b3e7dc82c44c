"""shap and captum explain a prediction by the steps of its window."""

import itertools
import math

import numpy as np
import pytest
import shap
import torch
from captum.attr import FeatureAblation, IntegratedGradients
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, make_windows

SEQ_LENGTH, N_FEATURES = 4, 2
NOISE = np.random.default_rng(0).normal(size=200)
X = np.column_stack([np.sin(0.3 * np.arange(200)), NOISE])
Y = X[:, 0]


@pytest.fixture(scope="module")
def model():
    lstm = LSTMRegressor(8, epochs=15, learning_rate=0.01, random_state=0)
    return make_pipeline(StandardScaler(), WindowTransformer(SEQ_LENGTH), lstm).fit(X, Y)


@pytest.fixture(scope="module")
def rows(model):
    """The windows, scaled as the regressor reads them, each flattened to a row."""
    windows, _ = make_windows(model[0].transform(X), seq_length=SEQ_LENGTH)
    return windows.reshape(len(windows), -1)


@pytest.fixture(scope="module")
def predict(model):
    return lambda rows: model[-1].predict(rows.reshape(-1, SEQ_LENGTH, N_FEATURES))


def shapley_values(predict, row, background):
    """From the definition: gains of a column, averaged over all orders of the columns."""
    n = len(row)

    def value(present):
        mixed = background.copy()
        mixed[:, list(present)] = row[list(present)]
        return predict(mixed).mean()

    values = {
        subset: value(subset)
        for size in range(n + 1)
        for subset in itertools.combinations(range(n), size)
    }
    found = np.zeros(n)
    for subset, without in values.items():
        weight = 1 / (n * math.comb(n - 1, len(subset))) if len(subset) < n else 0
        for column in set(range(n)) - set(subset):
            found[column] += weight * (values[tuple(sorted({*subset, column}))] - without)
    return found


def test_shap_on_windows_agrees_with_the_definition(predict, rows):
    background = rows[:5]
    explainer = shap.KernelExplainer(predict, background)
    # As many samples as there are subsets of the columns, so that it draws none.
    values = explainer.shap_values(
        rows[50:52], nsamples=2 ** rows.shape[1], l1_reg=False, silent=True
    )
    expected = [shapley_values(predict, row, background) for row in rows[50:52]]
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_shap_on_windows_adds_up_to_the_prediction(predict, rows):
    explainer = shap.KernelExplainer(predict, rows[:20])
    values = explainer.shap_values(rows[50:55], silent=True)
    sums = explainer.expected_value + values.sum(axis=1)
    np.testing.assert_allclose(sums, predict(rows[50:55]), atol=1e-6)
    by_feature = np.abs(values.reshape(-1, SEQ_LENGTH, N_FEATURES)).sum(axis=1).mean(axis=0)
    assert by_feature[0] > 5 * by_feature[1]  # the second feature is noise


def test_shap_on_the_pipeline_says_nothing_about_the_row(model):
    # The prediction of row t is made from the rows before it, and what shap passes as one
    # table are copies of a row, changed: they become each other's past.
    row = X[100:101]
    before = model.predict(X[:101])[-1]
    changed = np.vstack([X[:100], row + 10.0])
    assert model.predict(changed)[-1] == before
    alone, together = model.predict(row), model.predict(np.repeat(row, 5, axis=0))
    assert np.ptp(together) > 0.01
    assert alone[0] == together[0]


def test_gradients_of_shap_find_the_same_feature(model, rows):
    windows = torch.tensor(rows.reshape(-1, SEQ_LENGTH, N_FEATURES), dtype=torch.float32)
    explainer = shap.GradientExplainer(model[-1].net_.module_, windows[:50])
    values = np.asarray(explainer.shap_values(windows[50:60], rseed=0))
    assert values.shape == (10, SEQ_LENGTH, N_FEATURES, 1)
    by_feature = np.abs(values).sum(axis=(1, 3)).mean(axis=0)
    assert by_feature[0] > 5 * by_feature[1]


def test_integrated_gradients_of_captum_add_up_to_the_difference(model, predict, rows):
    windows = torch.tensor(rows[50:60].reshape(-1, SEQ_LENGTH, N_FEATURES)).float()
    module = model[-1].net_.module_
    baseline = torch.zeros_like(windows)
    attributed = IntegratedGradients(module).attribute(
        windows, baselines=baseline, target=0, n_steps=100
    )
    with torch.no_grad():
        difference = (module(windows) - module(baseline))[:, 0]
    np.testing.assert_allclose(attributed.sum(dim=(1, 2)), difference, atol=1e-4)
    # Times the scale of the targets that were trained on, they are predictions.
    scale = Y[SEQ_LENGTH:].std()
    expected = predict(rows[50:60]) - predict(np.zeros_like(rows[50:60]))
    np.testing.assert_allclose(difference * scale, expected, atol=1e-5)


def test_ablation_of_captum_is_the_change_of_the_prediction(predict, rows):
    few = torch.tensor(rows[50:55])
    ablation = FeatureAblation(lambda rows: torch.tensor(predict(rows.numpy())))
    found = ablation.attribute(few, baselines=0.0)
    for column in range(few.shape[1]):
        without = few.numpy().copy()
        without[:, column] = 0.0
        expected = predict(few.numpy()) - predict(without)
        np.testing.assert_allclose(found[:, column], expected, atol=1e-6)
