"""Pages of the public names: where their source is, and none of a name that is gone."""

import ast
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import sklstm


@cache
def modules() -> dict[str, str]:
    """Module of each public name, as ``sklstm/__init__.py`` imports it."""
    tree = ast.parse(Path(sklstm.__file__).read_text(encoding="utf-8"))
    return {
        alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def source_module(app: Sphinx, module: str, name: str) -> str:
    """Module whose source defines a name: the exported classes say they are sklstm's."""
    return modules().get(name.partition(".")[0], module)


def remove_pages(app: Sphinx, config: Any) -> None:
    """Remove the pages of the build before, some perhaps of a name that is gone."""
    shutil.rmtree(Path(app.confdir) / "generated" / "reference", ignore_errors=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Remove pages before autosummary writes them."""
    app.connect("config-inited", remove_pages)
    app.connect("viewcode-follow-imported", source_module)
    return {"parallel_read_safe": True}
