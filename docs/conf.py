"""The documentation site. `make docs` builds it; warnings are errors."""

import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from wordsight import __version__

sys.path.insert(0, str(Path(__file__).parent))  # for commands.py

project = "wordsight"
author = "The wordsight authors"
release = __version__
extensions = [
    "myst_nb",  # Markdown pages and notebooks
    "sphinx.ext.autodoc",  # the API reference, from docstrings
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # notebooks are run by tests/docs; what is shown is what they printed then
nb_merge_streams = True

default_role = "py:obj"  # `names` in docstrings link to the reference where it has them, and are code elsewhere
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90

html_theme = "furo"
html_title = f"wordsight {release}"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
copybutton_prompt_text = "$ "
linkcheck_timeout = 20


def _insert_commands(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put what `--help` says of each command into the page of commands."""
    if docname == "commands":
        from commands import reference

        source[0] = source[0].replace("<!-- commands -->", reference())


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of Sphinx."""
    app.connect("source-read", _insert_commands)
    return {"parallel_read_safe": True}
