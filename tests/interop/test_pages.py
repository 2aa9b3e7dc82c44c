"""Pages whose code needs libraries that the other tests do without."""

import mlflow
import pytest

from tests.pages import DOCS, WITH_OTHER_LIBRARIES, assert_prints_what_it_says


@pytest.fixture
def mlflow_as_before():
    """One page sets what mlflow tracks, for the whole process."""
    before = mlflow.get_tracking_uri()
    yield
    mlflow.sklearn.autolog(disable=True)
    mlflow.set_tracking_uri(before)


@pytest.mark.usefixtures("mlflow_as_before")
@pytest.mark.parametrize("name", sorted(WITH_OTHER_LIBRARIES))
def test_code_of_the_page_runs_and_prints_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_prints_what_it_says(DOCS / f"{name}.md")
