"""Links to the libraries beneath, made of their names: the build needs no network."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

SKLEARN = "https://scikit-learn.org/stable/"
# Where each library has the page of a name. None of them is asked.
PAGES = {
    "sklearn": SKLEARN + "modules/generated/{name}.html",
    "torch": "https://docs.pytorch.org/docs/stable/generated/{name}.html",
    "skorch": "https://skorch.readthedocs.io/en/stable/net.html#{name}",
    "pandas": "https://pandas.pydata.org/docs/reference/api/{name}.html",
}
# What docstrings inherited from scikit-learn refer to.
LABELS = {
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score",
}


def address(domain: str, kind: str, target: str) -> str | None:
    """The page of what a reference names, or None where that is not known."""
    if domain == "py":
        page = PAGES.get(target.partition(".")[0])
        return None if page is None else page.format(name=target)
    if kind == "term":
        return f"{SKLEARN}glossary.html#term-{target}"
    return SKLEARN + LABELS[target] if target in LABELS else None


def link(app: Sphinx, env: Any, node: Any, content: Any) -> nodes.reference | None:
    """A link to another library's page, where this site has no such name."""
    url = address(node.get("refdomain", ""), node["reftype"], node["reftarget"])
    return None if url is None else nodes.reference("", "", content, refuri=url)


def setup(app: Sphinx) -> dict[str, Any]:
    """Ask for every reference that Sphinx does not find."""
    app.connect("missing-reference", link)
    return {"parallel_read_safe": True}
