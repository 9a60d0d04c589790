"""Weights that others have published: where they are, how large, under which licence, and what they score.

None of them is ours, and none comes with the package: they are listed in `published.toml`. Needs no PyTorch.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from wordsight.errors import ModelError


@dataclass(frozen=True)
class File:
    """One file. `sha256` is the published digest or its published beginning; empty where none is published.

    Files on Hugging Face publish theirs when they are downloaded.
    """

    url: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """The file name."""
        return self.url.split("?")[0].rsplit("/", 1)[1]


@dataclass(frozen=True)
class Weights:
    """Published weights.

    Attributes:
        what: a description in a few words.
        trained_on: the data.
        megabytes: about, all files.
        licence: as the repository states it.
        page: where a person finds them.
        files: what to download; none where only the page is known.
        scores_as: which model these are in the published scores that `wordsight eval --benchmarks` shows; empty where
            none are known.
    """

    what: str
    trained_on: str
    megabytes: int
    licence: str
    page: str
    files: tuple[File, ...]
    scores_as: str = ""

    def how(self, name: str) -> str:
        """How to download the weights `name` and to convert them to a checkpoint."""
        if not self.files:
            return f"get it by hand from {self.page}, then `wordsight models convert FILE -o {name}-model`"
        return (
            f"`wordsight models pull {name} --out weights`, then `wordsight models convert weights/{name} "
            f"-o {name}-model`"
        )


def _published() -> dict[str, Weights]:
    listed = tomllib.loads((Path(__file__).parent / "published.toml").read_text(encoding="utf-8"))
    return {
        name: Weights(**facts | {"files": tuple(File(**file) for file in facts["files"])})
        for name, facts in listed.items()
    }


PUBLISHED = MappingProxyType(_published())
"""Published weights by the names that `wordsight models pull` takes."""


def refuse_published(model: str) -> None:
    """Says how to download a model that others have published; other names and folders pass.

    Raises:
        ModelError: `model` is the name of published weights.
    """
    if model in PUBLISHED and not Path(model).exists():
        raise ModelError(f"{model} is published by others and not part of wordsight: {PUBLISHED[model].how(model)}")
