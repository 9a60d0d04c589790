"""Model packs: a folder of ONNX graphs with a `pack.json` that says what they are. Read, checked, never executed."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Literal

from wordsight.decoding import KINDS, PSM, Graph, Kind, Spec
from wordsight.decoding.signature import Shape
from wordsight.errors import ConfigError, ModelError
from wordsight.files import read_regular
from wordsight.imaging import Preprocessing
from wordsight.runtime.signatures import SCENE, mismatch
from wordsight.text import Captions, CharCaptions, Charset, CharTokenizer, ClipCaptions, ClipTokenizer, HubCaptions

FORMAT = 1
MANIFEST = "pack.json"
TOKENIZER = "tokenizer.json"

_LARGEST_MANIFEST = 64 << 20  # bytes
_MOST = {"max_length": 10_000, "refine_iters": 100, "caption_context": 10_000}  # or words would take for ever

# Where a graph says which file holds a tensor: the pair "location" and its value, as protobuf writes it
_EXTERNAL = re.compile(rb"\x0a\x08location\x12([\x00-\x7f])", re.DOTALL)

# Plain names only: neither a path nor a hidden file.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class FastPath:
    """A second image graph, in int8: on the CPU quicker and less exact than `image`, with the same inputs and outputs.

    Words that are read with its help and a `Reading.margin` below `margin` are read again with `image`.
    """

    file: str
    margin: float


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
    captions: Literal["characters", "clip", "hub"] = "characters"
    """What makes captions: the charset, CLIP's byte-pair encoding, or the tokenizer of a text encoder from the hub."""
    caption_context: int | None = None
    """Tokens of a caption that is not of characters; the pack then carries its tokenizer."""
    cross_steps: Literal["own", "visual"] = "own"
    kind: Kind = PSM
    """How its graphs make texts of images."""
    scene: Preprocessing | None = None
    """How photographs become input of the graph `scene`; None: crops are read without."""
    scene_centre: bool = False
    """Whether only the square in the middle of a photograph does."""
    fast: FastPath | None = None
    """What looks at images first, if not `image` itself."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Sizes of the network, charset left out: for training to go on from it, no reader asks. Empty: not stated."""

    @property
    def tokenizer(self) -> CharTokenizer:
        """Of the decoders."""
        return CharTokenizer(self.charset)

    @property
    def spec(self) -> Spec:
        """What decoding has to know."""
        captions: Captions = CharCaptions(self.tokenizer, self.max_length)
        if self.caption_context is not None:
            tokenizer, context = ClipTokenizer(self.folder / TOKENIZER), self.caption_context
            clip = self.captions == "clip"
            captions = ClipCaptions(context, tokenizer) if clip else HubCaptions(tokenizer.json().decode(), context)
        return Spec(self.tokenizer, self.max_length, captions, self.cross_steps)

    @property
    def cross(self) -> bool:
        """Whether there is a cross-modal branch."""
        return "cross" in self.graphs

    @property
    def scene_tokens(self) -> tuple[int, int]:
        """Number and width of the tokens of a scene, of a pack that takes scenes."""
        _, tokens, width = self.graphs[SCENE].outputs["tokens"]
        return int(tokens), int(width)

    @property
    def scene_box(self) -> bool:
        """Whether it is given where crops lie in their scenes."""
        return any("scene_box" in graph.scene_inputs for graph in self.graphs.values())

    @property
    def on_fast_path(self) -> "Pack":
        """The same pack with the int8 image graph as the only one."""
        assert self.fast is not None  # noqa: S101  (for the type checker)
        return replace(self, graphs={**self.graphs, "image": replace(self.graphs["image"], file=self.fast.file)})

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum((self.folder / name).stat().st_size for name in (MANIFEST, *self.files))


def write_manifest(pack: Pack) -> Path:
    """Write `pack.json` into the pack's folder; `pack.files` is not read: all files that are there are in it."""
    there = (p.name for p in pack.folder.iterdir() if p.is_file())
    names = sorted(name for name in there if name != MANIFEST and not name.startswith("."))
    manifest = {
        "format": FORMAT,
        "name": pack.name,
        "architecture": pack.architecture,
        "decoding": pack.kind.name,
        "charset": {"name": pack.charset.name, "characters": pack.charset.characters, "sha256": pack.charset.hash},
        "tokenizer": pack.captions,
        **({"caption_context": pack.caption_context} if pack.caption_context is not None else {}),
        **({"cross_steps": pack.cross_steps} if pack.cross_steps != "own" else {}),
        "preprocessing": pack.preprocessing.to_dict(),
        **({"scene": {"preprocessing": pack.scene.to_dict(), "centre": pack.scene_centre}} if pack.scene else {}),
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
        **({"quick": {"file": pack.fast.file, "margin": pack.fast.margin}} if pack.fast else {}),
        "files": {name: sha256(pack.folder / name) for name in names},
        **({"config": dict(pack.config)} if pack.config else {}),
        "about": dict(pack.about),
    }
    path = pack.folder / MANIFEST
    new = path.with_name(f".{MANIFEST}.new")  # what kills the writer leaves the old one
    new.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return new.replace(path)


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
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:  # infinity is no whole number
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise _refuse(folder, f"{MANIFEST} is malformed ({what})") from None
    except ConfigError as error:
        raise _refuse(folder, f"{MANIFEST} is inconsistent ({error})") from None
    if reason := _mismatch(pack):
        raise _refuse(folder, reason)
    _check_files(pack)
    return pack


def _refuse(folder: Path, reason: str, cure: str = "get or export the pack again") -> ModelError:
    return ModelError(f"model pack {folder}: {reason}: {cure}")


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(read_regular(folder / MANIFEST, _LARGEST_MANIFEST))
    except OSError:
        raise _refuse(
            folder, f"it has no readable {MANIFEST}", "pass a folder that `wordsight models export` wrote"
        ) from None
    except (ValueError, RecursionError):
        raise _refuse(folder, f"{MANIFEST} is not JSON") from None
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT or isinstance(found, bool):
        cure = "update wordsight, or export the pack with this version"
        raise _refuse(folder, f"its format is {found!r}, this version reads {FORMAT}", cure)
    assert isinstance(manifest, dict)  # noqa: S101  (for the type checker)
    return manifest


def _parse(folder: Path, manifest: dict[str, Any]) -> Pack:
    manifest = {"cross_steps": "own", "caption_context": None, "decoding": "psm"} | manifest
    known: dict[str, tuple[object, ...]] = {
        "decoding": tuple(KINDS),
        "tokenizer": ("characters", "clip", "hub"),
        "cross_steps": ("own", "visual"),
    }
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
    fast = FastPath(str(manifest["quick"]["file"]), float(manifest["quick"]["margin"])) if "quick" in manifest else None
    for name in [*files, *(g.file for g in graphs.values()), *([fast.file] if fast else [])]:
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
        manifest["tokenizer"],
        int(manifest["caption_context"]) if manifest["tokenizer"] != "characters" else None,
        manifest["cross_steps"],
        KINDS[manifest["decoding"]],
        Preprocessing.from_dict(manifest["scene"]["preprocessing"]) if "scene" in manifest else None,
        "scene" in manifest and bool(manifest["scene"]["centre"]),
        fast,
        dict(manifest.get("config", {})),
    )
    if fast is not None and not (pack.kind.has_margins and 0 <= fast.margin < float("inf")):
        raise _refuse(folder, "a quick image graph is for psm packs, and needs a margin of at least 0")
    if pack.caption_context is not None and (pack.caption_context < 2 or TOKENIZER not in files):
        raise _refuse(folder, f"its captions need caption_context to be at least 2, and {TOKENIZER}")
    for key, most in _MOST.items():
        if (getattr(pack, key) or 0) > most:
            raise _refuse(folder, f"its {key} is over {most}")
    if pack.max_length < 1 or pack.refine_iters < 0 or not 0 < pack.temperature < float("inf"):
        raise _refuse(folder, "max_length must be at least 1, refine_iters at least 0, temperature above 0")
    return pack


def _shapes(values: Mapping[str, Any]) -> dict[str, Shape]:
    return {str(k): tuple(d if isinstance(d, str) else int(d) for d in v) for k, v in values.items()}


def _mismatch(pack: Pack) -> str | None:
    classes, positions = pack.tokenizer.num_classes, pack.max_length + 1
    return mismatch(pack.graphs, pack.kind, pack.preprocessing, classes, positions, pack.scene)


def _check_files(pack: Pack) -> None:
    for file in [*(graph.file for graph in pack.graphs.values()), *([pack.fast.file] if pack.fast else [])]:
        if file not in pack.files:
            raise _refuse(pack.folder, f"it states no hash for {file}")
    for name, digest in pack.files.items():
        try:
            if not (pack.folder / name).is_file():  # a pipe would be waited for
                raise OSError
            found = sha256(pack.folder / name)
        except OSError:
            raise _refuse(pack.folder, f"its file {name} is missing or cannot be read") from None
        if found != digest:
            raise _refuse(pack.folder, f"its file {name} is damaged or was changed (SHA-256 {found[:12]}...)")
        for other in _external(pack.folder / name) if name.endswith(".onnx") else ():
            if other not in pack.files:
                raise _refuse(pack.folder, f"it states no hash for {other!r}, where {name} has weights")


def _external(graph: Path) -> set[str]:
    """The files in which a graph says that its weights lie."""
    if not graph.stat().st_size:
        return set()
    with graph.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        found = [content[match.end() : match.end() + match[1][0]] for match in _EXTERNAL.finditer(content)]
    return {name.decode("utf-8", "replace") for name in found}


def sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
