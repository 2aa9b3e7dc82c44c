"""Pages of the documentation as programs: their blocks of code, and what these print."""

import doctest
import importlib.util
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
# Their code needs libraries that the other tests do without: tests/interop runs them.
WITH_OTHER_LIBRARIES = {
    "how-to/explain",
    "how-to/serve",
    "how-to/track-with-mlflow",
    "how-to/tune-with-optuna",
    "how-to/use-in-forecasting-libraries",
}


def name(page):
    return page.relative_to(DOCS).with_suffix("").as_posix()


def code_and_outputs(page):
    """The page's Python blocks, each with the text block after it, or an empty one."""
    blocks = re.findall(
        r"^```(python|text)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    pairs = []
    for language, block in blocks:
        if language == "python":
            pairs.append([block, ""])
        else:
            pairs[-1][1] = block
    return pairs


def assert_prints_what_it_says(page):
    """Run the page's code in the current folder, and compare what each block prints."""
    namespace = {}
    for code, expected in code_and_outputs(page):
        draws_bars = "ProgressBar" in code
        if draws_bars and importlib.util.find_spec("rich") is None:
            continue
        with redirect_stdout(io.StringIO()) as printed:
            exec(code, namespace)
        # Bars are for a terminal, and told in words.
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        got = "" if draws_bars else printed.getvalue()
        assert doctest.OutputChecker().check_output(expected, got, flags), got
