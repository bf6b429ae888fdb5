"""How Sphinx builds the documentation: `make docs`; nothing is downloaded."""

import sys
from importlib.util import find_spec
from pathlib import Path

from varcall import __version__

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "varcall"
project_copyright = "the authors of varcall"
release = version = __version__

# The notebook is run while the pages are built; without what runs it, it is left out.
_runs_notebooks = find_spec("myst_nb") is not None

extensions = [
    "myst_nb" if _runs_notebooks else "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_line",
    "python_modules",
]
exclude_patterns = ["_build", *([] if _runs_notebooks else ["notebook"])]
suppress_warnings = [] if _runs_notebooks else ["toc.excluded", "myst.xref_missing"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
myst_heading_anchors = 3

# `name` in a docstring is code, as on GitHub.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_google_docstring = False
napoleon_use_rtype = False
# Names of our own must be found, but for private ones and type variables. Other packages' pages are
# on the network, where no build looks.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!(varcall|pileup|models)\b).*"),
    (r"py:class", r".*\.(_\w+|F|T|Argument|Item|Plan|Result)"),
]

html_theme = "furo"
html_title = f"varcall {__version__}"
html_show_sphinx = False
html_copy_source = False
