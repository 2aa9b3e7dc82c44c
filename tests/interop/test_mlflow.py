"""mlflow keeps parameters, metrics and models of Pipelines, and loads the models again."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer

TRUSTED = ["sklstm.LSTMRegressor", "sklstm.WindowTransformer"]
INDEX = pd.date_range("2024-01-01", periods=120, freq="h")
Y = pd.Series(np.sin(0.2 * np.arange(120)), index=INDEX, name="level")
X = Y.to_frame()


def make_model():
    lstm = LSTMRegressor(4, epochs=3, random_state=0)
    return make_pipeline(StandardScaler(), WindowTransformer(5), lstm)


@pytest.fixture(scope="module", autouse=True)
def tracking(tmp_path_factory):
    """One database for the file: to make it takes seconds."""
    folder, before = tmp_path_factory.mktemp("mlflow"), mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    runs = (folder / "runs").as_uri()
    experiment = mlflow.create_experiment("sklstm", artifact_location=runs)
    with pytest.MonkeyPatch.context() as environment:
        # By the environment, since what set_experiment sets cannot be taken back.
        environment.setenv("MLFLOW_EXPERIMENT_ID", experiment)
        yield
    mlflow.set_tracking_uri(before)


@pytest.fixture
def autolog():
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    yield
    mlflow.sklearn.autolog(disable=True)


def log_model(model, **kwargs):
    with mlflow.start_run():
        # What it needs is named: mlflow would start a process to find it out.
        return mlflow.sklearn.log_model(
            model, name="model", pip_requirements=["sklstm"], **kwargs
        )


def test_autolog_keeps_the_parameters_and_scores_of_a_pipeline(autolog):
    model = make_model()
    with mlflow.start_run() as run:
        model.fit(X[:90], Y[:90])
    logged = mlflow.get_run(run.info.run_id).data
    params = {name: str(value) for name, value in model.get_params().items()}
    assert logged.params == params
    assert logged.metrics["training_score"] == model.score(X[:90], Y[:90])
    errors = Y[:90] - model.predict(X[:90])
    assert logged.metrics["training_mean_squared_error"] == pytest.approx(
        (errors**2).mean()
    )


def test_autolog_changes_no_prediction(autolog):
    with mlflow.start_run():
        logged = make_model().fit(X[:90], Y[:90])
    mlflow.sklearn.autolog(disable=True)
    plain = make_model().fit(X[:90], Y[:90])
    np.testing.assert_array_equal(logged.predict(X[90:]), plain.predict(X[90:]))


def test_autolog_keeps_each_candidate_of_a_search(autolog):
    grid = {"windowtransformer__seq_length": [3, 6], "lstmregressor__units": [2]}
    search = GridSearchCV(make_model(), grid, cv=TimeSeriesSplit(2))
    with mlflow.start_run() as run:
        search.fit(X, Y)
    children = mlflow.search_runs(
        filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'", output_format="list"
    )
    found = {
        (child.data.params["windowtransformer__seq_length"],): child.data.metrics[
            "mean_test_score"
        ]
        for child in children
    }
    expected = zip([("3",), ("6",)], search.cv_results_["mean_test_score"], strict=True)
    assert found == dict(expected)
    best = mlflow.get_run(run.info.run_id).data.metrics["best_cv_score"]
    assert best == search.best_score_


def test_losses_of_each_epoch_are_logged_by_hand():
    model = make_model().fit(X[:90], Y[:90])
    with mlflow.start_run() as run:
        for epoch in model[-1].history_:
            mlflow.log_metric("train_loss", epoch["train_loss"], step=epoch["epoch"])
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "train_loss")
    assert [metric.step for metric in history] == [1, 2, 3]
    expected = [epoch["train_loss"] for epoch in model[-1].history_]
    assert [metric.value for metric in history] == expected


@pytest.mark.parametrize("load", [mlflow.sklearn.load_model, mlflow.pyfunc.load_model])
def test_model_that_is_logged_with_its_trust_list_predicts_the_same(load):
    model = make_model().fit(X[:90], Y[:90])
    logged = log_model(model, skops_trusted_types=TRUSTED)
    loaded = load(logged.model_uri)
    np.testing.assert_array_equal(loaded.predict(X[90:]), model.predict(X[90:]))


def test_model_without_its_trust_list_is_refused_by_name():
    model = make_model().fit(X[:90], Y[:90])
    with pytest.raises(MlflowException, match=r"sklstm\.LSTMRegressor"):
        log_model(model)


def test_model_with_an_example_and_a_signature_predicts_the_same():
    model = make_model().fit(X[:90], Y[:90])
    logged = log_model(model, skops_trusted_types=TRUSTED, input_example=X[80:90])
    loaded = mlflow.pyfunc.load_model(logged.model_uri)
    assert loaded.metadata.get_input_schema().input_names() == ["level"]
    np.testing.assert_array_equal(loaded.predict(X[90:]), model.predict(X[90:]))
