"""List what ``sklstm.__all__`` names in the reference, so that no name can be missing."""

import inspect
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import sklstm

HEADER = """\
.. _reference:

Reference
=========

Every public name, from its docstring. What the words mean, such as step, window and
horizon, is told in :doc:`/explanation/windows`.
"""
TABLE = """
{title}
{line}

.. autosummary::
   :toctree: reference
   :template: autosummary/{template}.rst
   :nosignatures:

   {names}
"""


def group(obj: Any) -> tuple[str, str]:
    """Where a name is listed, and the template of its page."""
    if not inspect.isclass(obj):
        return "Functions", "function"
    is_display = obj.__name__.endswith("Display")
    return ("Displays" if is_display else "Estimators"), "class"


def write_tables(app: Sphinx, config: Any) -> None:
    """Write the page that autosummary makes one page for each name of."""
    listed: dict[tuple[str, str], list[str]] = {}
    for name in sklstm.__all__:
        if not name.startswith("_"):
            listed.setdefault(group(getattr(sklstm, name)), []).append(f"~sklstm.{name}")
    tables = [
        TABLE.format(
            title=title,
            line="-" * len(title),
            template=template,
            names="\n   ".join(sorted(names)),
        )
        for (title, template), names in sorted(listed.items())
    ]
    page = Path(app.confdir) / "generated" / "reference.rst"
    page.parent.mkdir(exist_ok=True)
    shutil.rmtree(page.with_suffix(""), ignore_errors=True)  # pages of names that are gone
    page.write_text(HEADER + "".join(tables), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Write before autosummary looks for what to make pages of."""
    app.connect("config-inited", write_tables)
    return {"parallel_read_safe": True}
