"""The configuration of Sphinx."""

from typing import Any

from sphinx.application import Sphinx

import roomver
from docs.sitebuild import python_pages

project = "roomver"
author = "the roomver authors"
copyright = "the roomver authors"
version = release = roomver.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"

# Anchors as GitHub makes them, so that a link works in both places.
myst_heading_anchors = 6

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
default_role = "code"
# `--json` must stay two hyphens.
smartquotes = False

html_theme = "furo"
html_title = f"roomver {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
# A summary is fetched for each result, which a page from file:// may not do.
html_show_search_summary = False
html_use_index = True
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def _link_names(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make links of the names in a docstring."""
    lines[:] = python_pages.linked(lines, name)


def _type_lines(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Put the type of an attribute beside its name: napoleon puts it below the text."""
    moved: list[str] = []
    start = -1
    for line in lines:
        if line.startswith(".. attribute:: "):
            start = len(moved)
        if start >= 0 and line.startswith("   :type: "):
            moved.insert(start + 1, line)
        else:
            moved.append(line)
    lines[:] = moved


def setup(app: Sphinx) -> None:
    """Connect the changes."""
    python_pages.forget_field_numbers()
    app.connect("autodoc-process-docstring", _link_names, priority=400)
    app.connect("autodoc-process-docstring", _type_lines, priority=900)
