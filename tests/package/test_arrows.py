"""The plan of the house, checked on the source: who imports whom, where torch is, how long a file is."""

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "wordsight"
FILES = sorted(PACKAGE.rglob("*.py"))
RESEARCH = Path(__file__).parents[2] / "research" / "src"

MAY_IMPORT: dict[str, set[str]] = {
    # From the street door down. A room may also use what the rooms in its row may use: those arrows point down too.
    "serve": {"export", "reader", "reading", "runtime", "imaging", "text", "detect"},
    "bulk": {"spec", "suffixes", "parallel"},
    "spec": {"reader"},
    "reader": {"reading", "results", "detect", "runtime", "imaging", "text", "parallel", "habits"},
    "reading": {"results", "detect", "runtime", "imaging", "text"},
    "export": {"results", "imaging"},
    "results": {"decoding", "imaging"},
    "detect": {"runtime", "imaging"},
    "runtime": {"decoding", "imaging", "text", "files"},
    "explain": {"weights"},
    "train": {"models", "data", "synth", "evaluate", "detect"},
    "weights": {"models", "runtime", "detect", "data"},
    "models": {"decoding", "imaging", "text", "files"},  # imaging for `Preprocessing`, a part of a model's config
    "evaluate": {"text"},
    "synth": {"data", "imaging", "text", "parallel"},
    "data": {"imaging", "text", "files"},
    "decoding": {"text"},
    "imaging": set(),
    "text": set(),
    "files": set(),  # how files are written, and which are read
    "parallel": set(),
    "suffixes": set(),
    "plugins": {"reader", "results", "imaging"},
    "habits": set(),
    "errors": set(),
}
SEAM = ("results", "export")
"""The one arrow that points up: `photo.to_csv()` and `photo.draw()`, inside the methods that write and draw."""
ROOFED = {"cli", "__main__", "__pyinstaller"}  # may import everything
TORCH_ROOMS = {"models", "train", "weights", "explain"}
TORCH = {"torch", "lightning", "jsonargparse", "safetensors", "onnxscript", "tensorboard"}
MAX_LINES = 400


def _room(module: str) -> str:
    """The room of a dotted name: "wordsight.text.charset" is in "text", "wordsight" itself in ""."""
    return (*module.split("."), "")[1]


def _module(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path, modules: Collection[str] = ()) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, in functions and for type checkers too.

    `from x import y` is x.y where that is one of `modules`.
    """
    package = _module(file).split(".")
    if file.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, (home, node.module)))
            for alias in node.names:
                full = f"{source}.{alias.name}"
                yield node.lineno, full if source == "wordsight" or full in modules else source


@cache
def _below(room: str) -> frozenset[str]:
    """All rooms that a room may import."""
    found: set[str] = set()
    new = {room}
    while new:
        found |= new
        new = set().union(*(MAY_IMPORT[r] for r in new)) - found
    return frozenset(found | {"errors", "__version__"})


@pytest.mark.parametrize("room", sorted({_room(_module(file)) for file in FILES} - ROOFED))
def test_arrows_point_down_only(room: str) -> None:
    files = [file for file in FILES if _room(_module(file)) == room]
    if room == "":
        # The package's own face.
        allowed: frozenset[str] = frozenset({"detect", "errors", "imaging", "reader", "reading", "results"})
    else:
        assert room in MAY_IMPORT, f"{room} is a new room: say here what it may import"
        allowed = _below(room)
    wrong = [
        f"{file.relative_to(PACKAGE)}:{line} imports {name}"
        for file in files
        for line, name in _imports(file)
        if name.split(".")[0] == "wordsight" and _room(name) not in allowed and (room, _room(name)) != SEAM
    ]
    assert not wrong, "\n".join(wrong)


def test_the_table_has_no_circle() -> None:
    assert not [(a, b) for a in MAY_IMPORT for b in MAY_IMPORT if a < b and a in _below(b) and b in _below(a)]


def test_the_arrow_that_points_up_is_in_functions_alone() -> None:
    tree = ast.parse((PACKAGE / f"{SEAM[0]}.py").read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function) if isinstance(node, ast.ImportFrom)}
    up = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and _room(node.module or "") == SEAM[1]]
    assert up
    assert all(id(node) in inside for node in up)


def test_the_table_lists_no_room_that_is_gone() -> None:
    assert set(MAY_IMPORT) <= {_room(_module(file)) for file in FILES}


def test_the_library_knows_nothing_of_the_laboratory() -> None:
    assert RESEARCH.is_dir()
    wrong = [file for file in FILES for _, name in _imports(file) if name.split(".")[0] == "wordsight_research"]
    assert not wrong


def test_files_import_each_other_in_no_circle() -> None:
    """What two files need goes into a file of its own."""
    modules = {_module(file): file for file in FILES}
    arrows = {
        name: {to for _, to in _imports(file, set(modules)) if to != name and (_room(name), _room(to)) != SEAM}
        for name, file in modules.items()
    }
    below: dict[str, set[str]] = {}
    for name in modules:
        new, found = arrows[name] & modules.keys(), set[str]()
        while new:
            found |= new
            new = set().union(*(arrows[one] for one in new)) & modules.keys() - found
        below[name] = found
    assert not {frozenset(to for to in below[name] if name in below[to]) for name in modules if name in below[name]}


def test_torch_stays_in_its_rooms() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)}:{line} imports {name}"
        for file in FILES
        for line, name in _imports(file)
        if name.split(".")[0] in TORCH and _room(_module(file)) not in TORCH_ROOMS
    ]
    # The verb that trains hands its flags to Lightning; it imports it when it is called.
    wrong = [line for line in wrong if not line.startswith("cli/train.py:")]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("file", [*FILES, *sorted(RESEARCH.rglob("*.py"))], ids=lambda file: "/".join(file.parts[-3:]))
def test_a_file_can_be_read_in_one_sitting(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
