"""The documentation site. `make docs` builds it; warnings are errors."""

import sys
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

from wordsight import Source, __version__

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

smartquotes = False  # options begin with two dashes
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

_ALIASES = {
    stringify_annotation(Source, "smart"): "~wordsight.Source",
    stringify_annotation(ArrayLike, "smart"): "ArrayLike",
}


def _insert_commands(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put what `--help` says of each command into the page of commands."""
    if docname == "commands":
        from commands import reference

        source[0] = source[0].replace("<!-- commands -->", reference())


def _name_types(
    app: Sphinx, what: str, name: str, documented: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Show the aliases of long types by their names."""
    for alias, short in _ALIASES.items():
        signature = signature and signature.replace(alias, short)
    return signature, returned


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of Sphinx."""
    app.connect("source-read", _insert_commands)
    app.connect("autodoc-process-signature", _name_types)
    return {"parallel_read_safe": True}
