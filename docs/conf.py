"""The documentation site: `make docs` builds it into build/site, and any warning fails the build."""

from __future__ import annotations

import sys
from pathlib import Path

from sapiens import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_site"))

project = "sapiens"
copyright = "The sapiens authors, Apache-2.0"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_help",
    "docstrings",
    "navigation",
    "outside",
]
exclude_patterns = ["_site"]
highlight_language = "none"  # blocks without a language hold commands and trees; "text" is output

# Headings get the anchors that other readers of Markdown give them, so links hold in the repository and on the site.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "fieldlist"]

default_role = "py:obj"  # docstrings mark code with single backticks; what has a page becomes a link
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # else every attribute of a dataclass is described twice
napoleon_attr_annotations = False  # the signature has the types

html_theme = "furo"  # its own fonts are the system's, and it loads nothing from elsewhere
html_title = "sapiens"
html_static_path = ["_site/static"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
