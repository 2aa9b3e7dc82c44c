"""Draw the figures of the site's pages.

Each ``figures/<name>.py`` has a function ``draw`` that returns a matplotlib Figure. It is
saved as ``generated/<name>.png``, for pages to show, where it is missing or older. A
function ``table`` may return Markdown, for numbers that belong to the figure; it is saved
as ``generated/<name>.txt``, for pages to include.
"""

import runpy
from pathlib import Path
from typing import Any

import matplotlib
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def draw_figures(app: Sphinx, config: Any) -> None:
    """Save every figure that is not up to date."""
    docs = Path(app.confdir)
    generated = docs / "generated"
    generated.mkdir(exist_ok=True)
    for source in sorted((docs / "figures").glob("*.py")):
        target = generated / f"{source.stem}.png"
        if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
            continue
        logger.info("drawing %s", target.name)
        with matplotlib.rc_context({"backend": "agg"}):
            module = runpy.run_path(str(source))
            if "table" in module:
                target.with_suffix(".txt").write_text(module["table"](), encoding="utf-8")
            figure = module["draw"]()
            figure.savefig(target, dpi=160)
            matplotlib.pyplot.close(figure)


def setup(app: Sphinx) -> dict[str, Any]:
    """Draw before Sphinx looks for the files of pages."""
    app.connect("config-inited", draw_figures)
    return {"parallel_read_safe": True}
