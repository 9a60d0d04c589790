"""What is wrong with a recipe or a flag, in one short line: where, which key, what was given, what is expected."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml  # type: ignore[import-untyped]

_LONGEST = 60  # characters of a value that are shown
_PLAIN = {  # one of them, and several
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    Path: ("a path", "paths"),
    NoneType: ("null", "null"),
    Any: ("a value", "values"),
}


def mistake(reason: str, flags: Sequence[str], recipes: Sequence[tuple[Path, Any]], kinds: dict[str, Any]) -> str:
    """The line for what jsonargparse refuses.

    Args:
        reason: its message.
        flags: the flags of the command line.
        recipes: the recipes with what they contain, the last one first, since it overrides the others.
        kinds: the type of every key; None for a group of keys.
    """
    reason = " ".join(reason.split())
    found = re.search(r"""(?:option '|key "|arguments: --)([\w.]+)""", reason)
    if bare := re.match(r"argument (--[\w.]+): expected", reason):
        return f"the command line: {bare[1]} needs a value: {bare[1]}=VALUE"
    if not found:
        return f"the command line: {reason[:200]}"
    key = found[1]
    if not found[0].startswith("key"):
        leaf = key.split(".")[-1]
        alike = get_close_matches(key, [name for name in kinds if name.split(".")[-1] == leaf] or list(kinds), 1, 0.5)
        cure = f"did you mean {alike[0]}?" if alike else "see --print_config"
        return f"{_where(key, None, flags, recipes)[0]}: there is no key {key}: {cure}"
    inner = re.search(r"Problem with given class_path '[^']*': (?:Parser key \"([\w.]+)\": )?(.*?)(?: - |$)", reason)
    if inner and inner[1]:
        key, reason = f"{key}.{inner[1]}", inner[2]
    got = re.search(r"(?:Got|Given) value: (.*)$", reason)
    where, given = _where(key, got[1] if got else None, flags, recipes)
    said = f"{where}: {key} is {_shortened(given)}, expected "
    if inner and inner[1]:
        choices = re.search(r"Literal\[([^\]]*)\]", reason)
        return said + (f"one of {choices[1]}".replace("'", "") if choices else "another type")
    return said + _wanted(key, kinds) + (f" ({inner[2]})" if inner else "")


def misplaced(recipes: Sequence[tuple[Path, Any]], kinds: dict[str, Any]) -> str | None:
    """The line for a group of keys that a recipe gives a value, which jsonargparse lets pass; None if there is none."""
    groups = {name.rpartition(".")[0] for name in kinds if "." in name}
    for file, content in recipes:
        for name in sorted(groups):
            value = _value(content, name)
            if value is not _ABSENT and not isinstance(value, dict | str | NoneType) and not kinds.get(name):
                return f"{file}: {name} is {_shortened(value)}, expected {_wanted(name, kinds)}"
    return None


def _wanted(key: str, kinds: dict[str, Any]) -> str:
    if kinds.get(key):
        return expected(kinds[key])
    part = next((name for name in kinds if name.startswith(f"{key}.") and not name.endswith(".help")), None)
    return f"keys such as {part}" if part else "another type"


def expected(kind: Any, several: bool = False) -> str:
    """What a value of a type, or several of them, are called: `a number`, `a list of paths`, `one of a, b`."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        options = [part for part in parts if part is not NoneType]
        choices = [str(choice) for part in options if get_origin(part) is Literal for choice in get_args(part)]
        others = [expected(part, several) for part in options if get_origin(part) is not Literal]
        named = [f"one of {', '.join(dict.fromkeys(choices))}"] if choices else []
        return " or ".join(dict.fromkeys([*named, *others, *(["null"] if NoneType in parts else [])]))
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin is Annotated:
        return expected(parts[0], several)
    if kind in _PLAIN:
        return _PLAIN[kind][several]
    if origin is dict:
        return "keys with values"
    if origin is not None and parts:
        return f"a list of {expected(parts[0], several=True)}"
    name = getattr(kind, "__name__", str(kind))
    return name if several else f"a {name}"


def _shortened(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text) if len(text) <= _LONGEST else repr(text[: _LONGEST - 3] + "...")


def _where(key: str, got: str | None, flags: Sequence[str], recipes: Sequence[tuple[Path, Any]]) -> tuple[str, Any]:
    """The file that says a key, or the command line; and the value."""
    for flag in reversed(flags):
        name, _, value = flag.partition("=")
        if name == f"--{key}" and (got is None or got in (value, _loaded(value))):
            return "the command line", value
    for file, content in recipes:
        value = _value(content, key)
        if value is not _ABSENT and (got is None or got == str(value)):
            return str(file), value
    return "the command line", got


_ABSENT = object()


def _value(content: Any, key: str) -> Any:
    """The value of a key in a recipe."""
    for part in key.split("."):
        content = content.get(part, _ABSENT) if isinstance(content, dict) else _ABSENT
    return content


def _loaded(value: str) -> str:
    """How a value of the command line looks to jsonargparse, which reads YAML."""
    try:
        return str(yaml.safe_load(value))
    except yaml.YAMLError:
        return value
