"""Pages whose code needs libraries that the other tests do without."""

import pytest

from tests.pages import DOCS, WITH_OTHER_LIBRARIES, assert_prints_what_it_says


@pytest.mark.parametrize("name", sorted(WITH_OTHER_LIBRARIES))
def test_code_of_the_page_runs_and_prints_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_prints_what_it_says(DOCS / f"{name}.md")
