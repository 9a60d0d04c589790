"""Weights that others have published: where they are, how large, under which licence, and what they score.

None of them is ours, and none comes with the package. Facts are as their authors publish them; locations and digests
are those of their repositories (see each `page`). Needs no PyTorch.
"""

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


def _hugging_face(repository: str, *names: str) -> tuple[File, ...]:
    return tuple(File(f"https://huggingface.co/{repository}/resolve/main/{name}") for name in names)


_AUTHORS = "https://github.com/VamosC/CLIP4STR"
_RELEASE = f"{_AUTHORS}/releases/download/1.0.0"
_ZENODO = "https://zenodo.org/records/8369439"
_RBU = "https://huggingface.co/mzhaoshuai/CLIP4STR"
_REAL = "real words (3.3 M)"
_MJST = "MJSynth and SynthText"
_UNION = "RBU: real words, benchmarks' training sets, Union14M-L (6.5 M)"


def _clip4str(towers: str, data: str, page: str, url: str, scores_as: str) -> Weights:
    size = scores_as.removeprefix("CLIP4STR-")[0]
    megabytes = {"B": 633, "L": 1788, "H": 4080}[size]
    files = (File(url),) if url else ()
    return Weights(f"CLIP4STR-{size} from {towers}", data, megabytes, "Apache-2.0", page, files, scores_as)


def _rbu(towers: str, file: str, scores_as: str) -> Weights:
    return _clip4str(towers, _UNION, _RBU, f"{_RBU}/resolve/main/{file}.pt", scores_as)


# What follows the last underscore of their names may be a digest; of what is not documented, so it is not checked.
_CLIP4STR = {
    "clip4str-b16-synth": _clip4str(
        "OpenAI's ViT-B/16",
        _MJST,
        _AUTHORS,
        f"{_RELEASE}/clip4str_base16x16_synth_a5e3386222.ckpt",
        "CLIP4STR-B, MJ+ST",
    ),
    "clip4str-l14-synth": _clip4str("OpenAI's ViT-L/14", _MJST, _ZENODO, "", "CLIP4STR-L, MJ+ST"),
    "clip4str-b16-real": _clip4str(
        "OpenAI's ViT-B/16", _REAL, _AUTHORS, f"{_RELEASE}/clip4str_base16x16_d70bde1f2d.ckpt", "CLIP4STR-B, Real"
    ),
    "clip4str-l14-real": _clip4str(
        "OpenAI's ViT-L/14",
        _REAL,
        _ZENODO,
        f"{_ZENODO}/files/clip4str_large14x14_f125500adc.ckpt?download=1",
        "CLIP4STR-L, Real",
    ),
    "clip4str-b16-rbu": _rbu("DataComp's ViT-B/16", "clip4str_base_6e9fe947ac", "CLIP4STR-B DataComp, RBU"),
    "clip4str-l14-rbu": _rbu("DataComp's ViT-L/14", "clip4str_large_3c9d881b88", "CLIP4STR-L DataComp, RBU"),
    "clip4str-h14-rbu": _rbu("LAION-2B's ViT-H/14", "clip4str_huge_5eef9f86e2", "CLIP4STR-H LAION, RBU"),
    "clip4str-h14-dfn-rbu": _rbu("DFN-5B's ViT-H/14", "clip4str_huge_3e942729b1", "CLIP4STR-H DFN, RBU"),
}


def _parseq(what: str, megabytes: int, file: str, sha256: str, scores_as: str = "") -> Weights:
    page = "https://github.com/baudm/parseq"
    files = (File(f"{page}/releases/download/v1.0.0/{file}-{sha256[:8]}.pt", sha256),)
    return Weights(what, _REAL, megabytes, "Apache-2.0", page, files, scores_as)


# In torch.hub's names, what follows the last dash is the beginning of the file's SHA-256
_PARSEQS = {
    "parseq": _parseq("PARSeq-S", 95, "parseq", "bb5792a6", "PARSeq-S, Real"),
    "parseq-tiny": _parseq(
        "PARSeq-Ti", 24, "parseq_tiny", "e7a21b543c98e67414a584c93b1dbb71c26e9463ae4aaa391d54e833660a4711"
    ),
    "parseq-patch16-224": _parseq("PARSeq-S, 16x16 patches of 224x224", 97, "parseq_small_patch16_224", "fcf06f5a"),
}


def _openai(name: str, megabytes: int, sha256: str) -> Weights:
    file = File(f"https://openaipublic.azureedge.net/clip/models/{sha256}/{name}.pt", sha256)
    page = "https://github.com/openai/CLIP"
    return Weights(f"CLIP {name}, both towers", "WIT (400 M pairs)", megabytes, "MIT", page, (file,))


def _open_clip(what: str, data: str, megabytes: int, licence: str, repository: str) -> Weights:
    files = _hugging_face(repository, "open_clip_pytorch_model.bin", "open_clip_config.json")
    page = f"https://huggingface.co/{repository}"
    return Weights(f"CLIP {what}, both towers", data, megabytes, licence, page, files)


_TOWERS = {
    "clip-b32": _openai("ViT-B-32", 354, "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
    "clip-b16": _openai("ViT-B-16", 351, "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
    "clip-l14": _openai("ViT-L-14", 933, "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
    "clip-l14-336": _openai("ViT-L-14-336px", 934, "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"),
    "clip-b16-datacomp": _open_clip(
        "ViT-B-16", "DataComp-1B", 599, "MIT", "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K"
    ),
    "clip-l14-datacomp": _open_clip(
        "ViT-L-14", "DataComp-1B", 1711, "MIT", "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K"
    ),
    "clip-h14-laion2b": _open_clip("ViT-H-14", "LAION-2B", 3945, "MIT", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"),
    "clip-h14-dfn": _open_clip(
        "ViT-H-14", "DFN-5B", 3945, "Apple's, see its page: research only", "apple/DFN5B-CLIP-ViT-H-14"
    ),
    "deit-b16": Weights(
        "DeiT-B/16, an image tower", "ImageNet-1K", 346, "Apache-2.0", "https://github.com/facebookresearch/deit",
        (File("https://dl.fbaipublicfiles.com/deit/deit_base_patch16_224-b5f2ef4d.pth", "b5f2ef4d"),),
    ),
    "vit-b16-in21k": Weights(
        "ViT-B/16, an image tower", "ImageNet-21K", 378, "MIT", "https://github.com/Alibaba-MIIL/ImageNet21K",
        (
            File(
                "https://miil-public-eu.oss-eu-central-1.aliyuncs.com/model-zoo/ImageNet_21K_P/models/"
                "vit_base_patch16_224_miil_21k.pth"
            ),
        ),
    ),
}  # fmt: skip

PUBLISHED = MappingProxyType(_CLIP4STR | _PARSEQS | _TOWERS)
"""Published weights by the names that `wordsight models pull` takes."""


def refuse_published(model: str) -> None:
    """Says how to download a model that others have published; other names and folders pass.

    Raises:
        ModelError: `model` is the name of published weights.
    """
    if model in PUBLISHED and not Path(model).exists():
        raise ModelError(f"{model} is published by others and not part of wordsight: {PUBLISHED[model].how(model)}")
