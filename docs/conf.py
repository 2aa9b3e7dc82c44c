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
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "external_links",
    "figures",
    "mathml",
    "public_names",
]
# Sources of what is generated, and templates: no pages themselves.
exclude_patterns = ["_build", "_templates", "extensions", "figures", "tutorial", "examples"]
templates_path = ["_templates"]

# Every name that a page or a docstring refers to must exist.
nitpicky = True
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say more
numpydoc_show_class_members = False  # the class template shows them
html_math_renderer = "mathml"
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = {
    "examples_dirs": ["tutorial", "examples"],
    "gallery_dirs": ["generated/tutorial", "generated/examples"],
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sklstm",),
    "ignore_pattern": "measure_",  # told of in README, and too long for each build
    "within_subsection_order": "FileNameSortKey",
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
html_sidebars = {"index": [], "coming-from": []}
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
