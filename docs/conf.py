"""How Sphinx builds the site. What is peculiar to it lies in extensions/."""

import sys
from pathlib import Path

import sklstm

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "extensions"))

project = "sklstm"
author = "The sklstm developers"
project_copyright = author
release = version = sklstm.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "figures",
    "mathml",
    "reference",
]
# Sources of what is generated, and templates: no pages themselves.
exclude_patterns = [
    "_build",
    "_inventories",
    "_templates",
    "extensions",
    "figures",
    "tutorial",
    "examples",
]
templates_path = ["_templates"]

# Every name that a page or a docstring refers to must exist, here or in an inventory. The
# inventories are files of the repository, so that the build needs no network.
nitpicky = True
LIBRARIES = {
    "matplotlib": "https://matplotlib.org/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "pandas": "https://pandas.pydata.org/docs/",
    "python": "https://docs.python.org/3/",
    "skorch": "https://skorch.readthedocs.io/en/stable/",
    "sklearn": "https://scikit-learn.org/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}
intersphinx_mapping = {
    name: (url, f"_inventories/{name}.inv") for name, url in LIBRARIES.items()
}
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say more
default_role = "literal"  # `X` in a docstring is code
numpydoc_show_class_members = False  # the class template shows them
html_math_renderer = "mathml"
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = {
    "examples_dirs": ["tutorial", "examples"],
    "gallery_dirs": ["generated/tutorial", "generated/examples"],
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sklstm",),
    "ignore_pattern": "measure_",  # described in README, and too long for each build
    "thumbnail_size": (800, 480),
    "within_subsection_order": "gallery.ReadingOrder",
    "reset_modules": ("matplotlib", "gallery.reset_sklearn"),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "write_computation_times": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklstm"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {
    page: []
    for page in ("index", "install", "glossary", "coming-from", "genindex", "search")
}
html_theme_options = {
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "navbar_start": ["navbar-logo", "version"],
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
