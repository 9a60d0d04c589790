"""Model packs: a folder of ONNX graphs with a `pack.json` that says what they are. Read, checked, never executed."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from wordsight.decoding import PsmSpec
from wordsight.errors import ConfigError, ModelError
from wordsight.imaging import Preprocessing
from wordsight.text import Captions, CharCaptions, Charset, CharTokenizer, ClipCaptions, ClipTokenizer

FORMAT = 1
MANIFEST = "pack.json"
TOKENIZER = "tokenizer.json"

Shape = tuple[int | str, ...]
"""Sizes of a tensor; those that may vary have a name."""

# Plain names only: neither a path nor a hidden file.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Graph:
    """One ONNX file, and the names and shapes of what goes in and comes out, in order."""

    file: str
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]


@dataclass(frozen=True)
class Pack:
    """A checked pack. `about` holds what a person wants to know: training data, scores, licence."""

    folder: Path
    name: str
    architecture: str
    charset: Charset
    preprocessing: Preprocessing
    max_length: int
    refine_iters: int
    temperature: float
    graphs: Mapping[str, Graph]
    files: Mapping[str, str]
    about: Mapping[str, Any] = field(default_factory=dict)
    caption_context: int | None = None
    """Tokens of a caption by CLIP's byte-pair encoding, which the pack then carries; None: captions are characters."""
    cross_steps: Literal["own", "visual"] = "own"

    @property
    def tokenizer(self) -> CharTokenizer:
        """Of the decoders."""
        return CharTokenizer(self.charset)

    @property
    def psm(self) -> PsmSpec:
        """What decoding has to know."""
        captions: Captions = CharCaptions(self.tokenizer, self.max_length)
        if self.caption_context is not None:
            captions = ClipCaptions(self.caption_context, ClipTokenizer(self.folder / TOKENIZER))
        return PsmSpec(self.tokenizer, self.max_length, captions, self.cross_steps)

    @property
    def cross(self) -> bool:
        """Whether there is a cross-modal branch."""
        return "cross" in self.graphs

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum((self.folder / name).stat().st_size for name in (MANIFEST, *self.files))


def psm_graphs(
    preprocessing: Preprocessing,
    classes: int,
    depth: int,
    memory: int,
    width: int,
    *,
    cross: bool,
    cross_width: int | None = None,
    text: int | None = None,
) -> dict[str, Graph]:
    """The graphs of a `psm` pack: their files, names and shapes.

    Args:
        preprocessing: says the input size.
        classes: [E] and the characters.
        depth: layers of a decoder.
        memory: image tokens.
        width: of the visual decoder and its memory.
        cross: whether there is a cross-modal branch.
        cross_width: of the cross-modal decoder and its memory, if not the same.
        text: tokens of a caption in that memory, if not as many as the text tower is given.
    """
    kv: Shape = ("batch", depth, 2, memory, width)
    query: dict[str, Shape] = {"tokens": ("batch", "length"), "kv": kv, "mask": ("batch", "length", "length")}
    logits: dict[str, Shape] = {"logits": ("batch", "length", classes)}
    image: dict[str, Shape] = {"image": ("batch", 3, preprocessing.height, preprocessing.width)}
    visual = Graph("visual.onnx", query, logits)
    if not cross:
        return {"image": Graph("image.onnx", image, {"kv_visual": kv}), "visual": visual}
    wide = cross_width or width
    kv_image: Shape = ("batch", depth, 2, memory, wide)
    kv_text: Shape = ("batch", depth, 2, text or "text", wide)
    both = query | {"kv": ("batch", depth, 2, "memory", wide), "memory_mask": ("batch", "memory")}
    return {
        "image": Graph("image.onnx", image, {"kv_visual": kv, "kv_cross_image": kv_image}),
        "visual": visual,
        "text": Graph("text.onnx", {"tokens": ("batch", "text")}, {"kv_cross_text": kv_text}),
        "cross": Graph("cross.onnx", both, logits),
    }


def write_manifest(pack: Pack) -> Path:
    """Write `pack.json` into the pack's folder; `pack.files` is not read: all files that are there are in it."""
    names = sorted(p.name for p in pack.folder.iterdir() if p.is_file() and p.name != MANIFEST)
    clip = pack.caption_context is not None
    manifest = {
        "format": FORMAT,
        "name": pack.name,
        "architecture": pack.architecture,
        "decoding": "psm",
        "charset": {"name": pack.charset.name, "characters": pack.charset.characters, "sha256": pack.charset.hash},
        "tokenizer": "clip" if clip else "characters",
        **({"caption_context": pack.caption_context} if clip else {}),
        **({"cross_steps": pack.cross_steps} if pack.cross_steps != "own" else {}),
        "preprocessing": pack.preprocessing.to_dict(),
        "max_length": pack.max_length,
        "refine_iters": pack.refine_iters,
        "temperature": pack.temperature,
        "graphs": {
            name: {
                "file": graph.file,
                "inputs": {k: list(v) for k, v in graph.inputs.items()},
                "outputs": {k: list(v) for k, v in graph.outputs.items()},
            }
            for name, graph in pack.graphs.items()
        },
        "files": {name: sha256(pack.folder / name) for name in names},
        "about": dict(pack.about),
    }
    path = pack.folder / MANIFEST
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def load_pack(folder: str | Path) -> Pack:
    """Read and verify a pack: its manifest, the hash of every file, and that its graphs are what decoding needs.

    That the ONNX files themselves have the shapes which the manifest states is verified when they are loaded
    (`OnnxRecognizer`).

    Raises:
        ModelError: saying what is wrong.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    try:
        pack = _parse(folder, manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise _refuse(folder, f"{MANIFEST} cannot be understood ({what})") from None
    except ConfigError as error:
        raise _refuse(folder, f"{MANIFEST} is inconsistent ({error})") from None
    _check_graphs(pack)
    _check_files(pack)
    return pack


def _refuse(folder: Path, reason: str, cure: str = "get or export the pack again") -> ModelError:
    return ModelError(f"model pack {folder}: {reason}: {cure}")


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError:
        raise _refuse(
            folder, f"there is no readable {MANIFEST}", "pass a folder that `wordsight export` wrote"
        ) from None
    except ValueError:
        raise _refuse(folder, f"{MANIFEST} is not JSON") from None
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT or isinstance(found, bool):
        cure = "update wordsight, or export the pack with this version"
        raise _refuse(folder, f"its format is {found!r}, this version reads {FORMAT}", cure)
    assert isinstance(manifest, dict)  # noqa: S101  (for the type checker)
    return manifest


def _parse(folder: Path, manifest: dict[str, Any]) -> Pack:
    manifest = {"cross_steps": "own", "caption_context": None} | manifest
    known = {"decoding": ("psm",), "tokenizer": ("characters", "clip"), "cross_steps": ("own", "visual")}
    for key, values in known.items():
        if manifest[key] not in values:
            knows = ", ".join(map(repr, values))
            raise _refuse(folder, f"its {key} is {manifest[key]!r}, this version knows {knows}", "update wordsight")
    charset = Charset(str(manifest["charset"]["name"]), str(manifest["charset"]["characters"]))
    if charset.hash != manifest["charset"]["sha256"]:
        raise _refuse(folder, "the characters of its charset do not have the hash that it states")
    graphs = {
        str(name): Graph(str(g["file"]), _shapes(g["inputs"]), _shapes(g["outputs"]))
        for name, g in manifest["graphs"].items()
    }
    files = {str(name): str(digest) for name, digest in manifest["files"].items()}
    for name in [*files, *(g.file for g in graphs.values())]:
        if not _FILE_NAME.fullmatch(name):
            raise _refuse(folder, f"it names the file {name!r}, which is not a plain name inside the folder")
    pack = Pack(
        folder,
        str(manifest["name"]),
        str(manifest["architecture"]),
        charset,
        Preprocessing.from_dict(manifest["preprocessing"]),
        int(manifest["max_length"]),
        int(manifest["refine_iters"]),
        float(manifest["temperature"]),
        graphs,
        files,
        dict(manifest["about"]),
        int(manifest["caption_context"]) if manifest["tokenizer"] == "clip" else None,
        manifest["cross_steps"],
    )
    if pack.caption_context is not None and (pack.caption_context < 2 or TOKENIZER not in files):
        raise _refuse(folder, f"its captions need caption_context to be at least 2, and {TOKENIZER}")
    if pack.max_length < 1 or pack.refine_iters < 0 or not 0 < pack.temperature < float("inf"):
        raise _refuse(folder, "max_length must be at least 1, refine_iters at least 0, temperature above 0")
    return pack


def _shapes(values: Mapping[str, Any]) -> dict[str, Shape]:
    return {str(k): tuple(d if isinstance(d, str) else int(d) for d in v) for k, v in values.items()}


def _check_graphs(pack: Pack) -> None:
    """The graphs must be those of `psm_graphs` for some depth, memory and widths."""
    try:
        _, depth, _, memory, width = pack.graphs["image"].outputs["kv_visual"]
        sizes = int(depth), int(memory), int(width)
        captions = pack.graphs.get("text")
        *_, text, cross_width = captions.outputs["kv_cross_text"] if captions else (None, width)
    except (KeyError, ValueError):
        reason = "its image graph states no K/V of shape (batch, depth, 2, tokens, width)"
        raise _refuse(pack.folder, reason) from None
    classes = pack.tokenizer.num_classes
    pooled = text if isinstance(text, int) else None
    wide = cross_width if isinstance(cross_width, int) else None
    wanted = psm_graphs(pack.preprocessing, classes, *sizes, cross=pack.cross, cross_width=wide, text=pooled)
    for name in wanted.keys() | pack.graphs.keys():
        if name not in wanted or name not in pack.graphs:
            known = ", ".join(sorted(wanted))
            raise _refuse(pack.folder, f"it has the graphs {', '.join(sorted(pack.graphs))}, not {known}")
        for side in ("inputs", "outputs"):
            expected, stated = getattr(wanted[name], side), getattr(pack.graphs[name], side)
            if expected != stated:
                raise _refuse(pack.folder, f"graph {name!r} states {side} {describe(stated)}, not {describe(expected)}")


def describe(shapes: Mapping[str, Shape]) -> str:
    """Names and shapes on one line, for messages."""
    return "; ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())


def _check_files(pack: Pack) -> None:
    for graph in pack.graphs.values():
        if graph.file not in pack.files:
            raise _refuse(pack.folder, f"it states no hash for {graph.file}")
    for name, digest in pack.files.items():
        try:
            found = sha256(pack.folder / name)
        except OSError:
            raise _refuse(pack.folder, f"its file {name} is missing or cannot be read") from None
        if found != digest:
            raise _refuse(pack.folder, f"its file {name} is damaged or was changed (SHA-256 {found[:12]}...)")


def sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
