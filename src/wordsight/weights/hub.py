"""Models on the Hugging Face hub: packs and checkpoint folders, each with a card. Needs no PyTorch (extra `hub`)."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError  # type: ignore[attr-defined]

from wordsight import __version__
from wordsight.errors import ModelError
from wordsight.runtime import load_pack
from wordsight.runtime.pack import MANIFEST

PREFIX = "hf:"
"""Begins what names a repository of the hub: hf:owner/name."""
_FILES = ["*.json", "*.onnx", "*.onnx.data", "*.safetensors", "words.u64", "README.md"]
"""What belongs to a model. Nothing of it is ever executed."""


def push(folder: Path, repository: str, facts: Iterable[tuple[str, str]], *, private: bool = False) -> str:
    """Uploads a pack or checkpoint folder with its card, into a repository that is made if need be.

    Args:
        folder: the model; a README.md in it is the card, else one is written.
        repository: owner/name.
        facts: what the card is to say of the model.
        private: whether a new repository is.

    Returns:
        The address of the repository.

    Raises:
        ModelError: it is no model, or the hub refuses it.
    """
    _check(folder)
    api = HfApi(library_name="wordsight", library_version=__version__)
    with _one_line(repository), tempfile.TemporaryDirectory() as scratch:
        address = str(api.create_repo(repository, private=private, exist_ok=True))
        if not (folder / "README.md").is_file():
            written = Path(scratch, "README.md")
            written.write_text(card(folder, repository, dict(facts)), encoding="utf-8")
            api.upload_file(path_or_fileobj=written, path_in_repo="README.md", repo_id=repository)
        api.upload_folder(folder_path=folder, repo_id=repository, allow_patterns=_FILES)
    return address


def pull(repository: str, to: Path) -> Path:
    """Downloads a model of the hub into a folder of its name inside `to`; a pack's hashes are verified.

    Raises:
        ModelError: the hub has no such repository, or it holds no model of ours.
    """
    folder = to / repository.rpartition("/")[2]
    with _one_line(repository):
        snapshot_download(repository, local_dir=folder, allow_patterns=_FILES, library_name="wordsight")
    _check(folder)
    return folder


def card(folder: Path, repository: str, facts: dict[str, str]) -> str:
    """A model card: the hub's header, how to read with the model, and a table of facts."""
    pack = (folder / MANIFEST).is_file()
    licence = facts.get("licence", "")
    known = "apache-2.0" if licence.startswith("Apache-2.0") else "other"
    name = repository.rpartition("/")[2]
    rows = "\n".join(f"| {_cell(what)} | {_cell(said)} |" for what, said in facts.items() if what != "folder")
    kind = "model pack" if pack else "checkpoint"
    use = f"wordsight read photo.jpg --model {name}" if pack else f"wordsight models export {name} --out {name}-pack"
    return f"""---
license: {known}
library_name: wordsight
pipeline_tag: image-to-text
tags: [ocr, scene-text-recognition{", onnx" if pack else ""}]
---

# {name}

A {kind} of wordsight, which reads the words in photographs.

```sh
pip install '.[hub]'  # in a clone of wordsight
wordsight models pull {PREFIX}{repository} --out .
{use}
```

| | |
|---|---|
{rows}
"""


def _cell(text: str) -> str:
    short = text if len(text) <= 300 else f"{text[:300]}..."
    return short.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _check(folder: Path) -> None:
    if (folder / MANIFEST).is_file():
        load_pack(folder)
    elif not ((folder / "config.json").is_file() and (folder / "model.safetensors").is_file()):
        raise ModelError(f"{folder} is no model: a pack has {MANIFEST}, a checkpoint config.json and model.safetensors")


@contextmanager
def _one_line(repository: str) -> Iterator[None]:
    """Turns errors of the hub and of the network into one line with the cure."""
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        cure = {
            401: "log in with `hf auth login`, or set HF_TOKEN; or there is no such repository",
            403: "your token may not write there: make one that may",
            404: "there is no such repository, or it is private: log in with `hf auth login`",
        }.get(status, "try again later")
        raise ModelError(f"{PREFIX}{repository}: the hub answers {status}: {cure}") from None
    except HFValidationError:
        raise ModelError(f"{PREFIX}{repository} is no name on the hub: give {PREFIX}OWNER/NAME") from None
    except (HTTPError, OSError) as error:
        why = str(error).partition("\n")[0]  # the hub's client adds advice of its own
        raise ModelError(f"{PREFIX}{repository}: the hub cannot be reached ({why}): check the network") from None
