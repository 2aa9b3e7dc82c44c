"""The documentation: its code runs and prints what it says, and each page has a place."""

import re
import runpy

import pytest
from packaging.version import Version

import sklstm
from tests.pages import DOCS, WITH_OTHER_LIBRARIES, assert_prints_what_it_says, name
from tests.versions import SKLEARN

HOW_TO = sorted((DOCS / "how-to").glob("*.md"))
PAGES = [*sorted(DOCS.glob("*.md")), *sorted((DOCS / "explanation").glob("*.md")), *HOW_TO]
# Callbacks, and weights that reach the scores of a Pipeline.
NEEDED_SKLEARN = {"how-to/watch-training": "1.9", "how-to/weight-samples": "1.8"}
NEEDED_PACKAGE = {"how-to/search-on-a-cluster": "distributed"}
SLOW = {"how-to/search-on-a-cluster"}  # starts processes


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow) if name(page) in SLOW else page
        for page in PAGES
    ],
    ids=name,
)
def test_code_of_the_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    needed = NEEDED_SKLEARN.get(name(page), "0")
    if Version(needed) > SKLEARN:
        pytest.skip(f"needs scikit-learn {needed}")
    if name(page) in WITH_OTHER_LIBRARIES:
        pytest.skip("needs other libraries: tests/interop runs it")
    pytest.importorskip(NEEDED_PACKAGE.get(name(page), "sklstm"))
    monkeypatch.chdir(tmp_path)
    assert_prints_what_it_says(page)


def test_pages_that_are_left_to_the_interop_suite_exist():
    assert {name(page) for page in PAGES} >= WITH_OTHER_LIBRARIES


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_has_one_title(page):
    text = page.read_text("utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert prose.startswith("# ")
    assert len(re.findall(r"^# ", prose, re.MULTILINE)) == 1


@pytest.mark.parametrize(
    "page",
    [*PAGES, DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"],
    ids=lambda page: page.stem,
)
def test_files_that_a_page_names_are_there(page):
    text = page.read_text("utf-8")
    named = re.findall(r"`((?:docs|tests|sklstm)/[\w./-]+)`", text)
    linked = re.findall(r"\]\(((?!https?:|#)[^)#\s]+)\)", text)
    files = [DOCS.parent / path for path in named if "_build" not in path]
    files += [page.parent / path for path in linked]
    assert [str(file) for file in files if not file.exists()] == []


@pytest.mark.parametrize("page", HOW_TO, ids=name)
def test_how_to_is_at_most_a_page(page):
    assert len(page.read_text("utf-8").splitlines()) <= 120


def test_reference_lists_every_public_name():
    text = (DOCS / "reference.rst").read_text("utf-8")
    listed = re.findall(r"^   ~sklstm\.(\w+)$", text, re.MULTILINE)
    assert sorted([*listed, "__version__"]) == sorted(sklstm.__all__)


def test_how_to_index_lists_every_page_by_its_task():
    index = (DOCS / "how-to" / "index.md").read_text("utf-8")
    pages = {page.name for page in HOW_TO} - {"index.md"}
    assert set(re.findall(r"^- \[\]\(([\w-]+\.md)\): ", index, re.MULTILINE)) == pages


def test_first_page_shows_an_lstm_about_as_good_as_ridge():
    table = runpy.run_path(str(DOCS / "figures" / "first_forecast.py"))["table"]()
    rmse = {
        name: float(value)
        for name, value in re.findall(r"^\| ([\w ]+) \| ([\d.]+) \|", table, re.MULTILINE)
    }
    assert rmse["LSTM"] < 1.05 * rmse["Ridge"] < 0.7 * rmse["repeat last year"]
