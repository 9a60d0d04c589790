"""The documentation as a site: it builds without a warning, shows every public name, and needs no network."""

import importlib
import inspect
import json
import re
import subprocess
import sys
import zlib
from html import unescape
from pathlib import Path

import pytest

import wordsight
from wordsight import bulk

pytest.importorskip("furo", reason="the documentation is not installed: pip install 'wordsight[docs]'")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors; links between pages and within them are among these."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", out / "trees"]
    done = subprocess.run([*command, ROOT / "docs", out / "html"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / "html"


def _inventory(site: Path) -> set[str]:
    """The names that the reference describes."""
    packed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(packed).decode().splitlines()
    return {line.split()[0] for line in lines if " py:" in line}


def test_every_public_name_is_in_the_reference_with_its_docstring(site: Path) -> None:
    described = _inventory(site)
    page = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", (site / "api.html").read_text(encoding="utf-8"))))
    for module in (wordsight, bulk):
        for name in set(module.__all__) - {"__version__"}:
            assert f"{module.__name__}.{name}" in described, name
            documented = getattr(module, name)
            if inspect.isclass(documented) or inspect.isfunction(documented):
                first = (inspect.getdoc(documented) or "").split("\n\n")[0].replace("`", "")
                assert first, f"{name} has no docstring"
                assert " ".join(first.split()) in page, name


@pytest.mark.parametrize("name", ["data", "evaluate"])
def test_every_name_of_a_research_module_is_in_the_reference_with_its_docstring(site: Path, name: str) -> None:
    pytest.importorskip("torch")
    module = importlib.import_module(f"wordsight.{name}")
    described = _inventory(site)
    for public in module.__all__:
        assert f"wordsight.{name}.{public}" in described, public
        documented = getattr(module, public)
        if inspect.isclass(documented) or inspect.isfunction(documented):
            assert inspect.getdoc(documented), public


def test_names_that_the_pages_import_are_in_the_reference(site: Path) -> None:
    """Readers look up what an example imports. Modules, values and what needs a plug-in's package are left out."""
    pytest.importorskip("torch")
    described, missing = _inventory(site), []
    for page in (ROOT / "docs").rglob("*.md"):
        for path, names in re.findall(r"^from (wordsight[\w.]*) import (.+)$", page.read_text(encoding="utf-8"), re.M):
            for name in names.split(", "):
                if path.startswith(("wordsight.plugins", "wordsight.cli")):
                    continue
                found = getattr(importlib.import_module(path), name, None)  # None: a module
                if not (inspect.isclass(found) or inspect.isfunction(found)):
                    continue
                assert inspect.getdoc(found), f"{page.name}: {path}.{name} has no docstring"
                if not any(one.split(".")[-1] == name for one in described if one.startswith("wordsight.")):
                    missing.append(f"{page.name}: {path}.{name}")
    assert not missing


def test_public_methods_have_docstrings() -> None:
    for name in set(wordsight.__all__) - {"__version__", "Source"}:
        for member, value in vars(getattr(wordsight, name)).items():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property | classmethod)):
                assert inspect.getdoc(value), f"{name}.{member}"


def test_every_command_is_in_the_reference(site: Path) -> None:
    import typer

    from wordsight.cli.main import app

    page = (site / "commands.html").read_text(encoding="utf-8")
    for name, command in typer.main.get_command(app).commands.items():
        parts = [f"{name}-{part}" for part in command.commands] if hasattr(command, "commands") else [name]
        for part in () if command.hidden else parts:  # old names are
            assert f'id="wordsight-{part}"' in page
    assert 'id="wordsight-convert"' not in page
    assert "--pattern REGEX" in re.sub(r"<[^>]+>", "", page)


def test_search_works_offline_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "meters-and-plates" in index
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="([^"]+)"', text)
        loaded += re.findall(r'<link\b[^>]*\brel="(?:stylesheet|preload|icon)"[^>]*\bhref="([^"]+)"', text)
        assert not [address for address in loaded if address.startswith(("http:", "https:", "//"))], page


def test_lab_notes_are_not_in_the_site(site: Path) -> None:
    assert not list(site.rglob("training-log*"))
    assert (ROOT / "dev" / "training-log.md").is_file()


def test_links_out_of_the_pages_lead_somewhere() -> None:
    """Links of pages and lab notes as they are read in the repository, where Sphinx does not resolve them."""
    broken = []
    for page in [*(ROOT / "docs").rglob("*.md"), *(ROOT / "dev").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


@pytest.mark.parametrize("notebook", sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_show_what_they_printed(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert any(cell["outputs"] for cell in code)
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    assert all(cell["execution_count"] == number for number, cell in enumerate(code, 1)), "run it from its beginning"
    assert notebook.stat().st_size < 1_500_000
