"""CLIP's towers out of OpenAI's, open_clip's and Hugging Face's checkpoints."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wordsight.errors import ModelError
from wordsight.models.clip.config import MEAN, STD, VOCAB_SIZE, ClipConfig
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.weights.choices import Choices, Triple, check_heads
from wordsight.weights.tensors import (
    HUGGING_FACE_BLOCK,
    OPENAI_BLOCK,
    BlockNames,
    State,
    Tensors,
    blocks,
    norm,
    prefixed,
)

HEAD_CHANNELS = 64
"""Channels of a head in all of OpenAI's towers, and in OpenCLIP's but for the widest."""

OPENCLIP_HEAD_CHANNELS = {1280: 80, 1408: 88, 1664: 104}
"""By width, where OpenCLIP's image towers have other heads (`head_width` of its ViT-H-14, ViT-g-14, ViT-bigG-14)."""


@dataclass(frozen=True)
class Names:
    """What a library calls the parts of CLIP; `{}` stands for the number of a block."""

    patches: str
    class_embedding: str
    image_positions: str
    norm_pre: str
    image_blocks: str
    norm_post: str
    image_projection: str
    tokens: str
    text_positions: str
    text_blocks: str
    norm_final: str
    text_projection: str
    block: BlockNames
    transposed: bool
    """Whether projections are linear layers: output times input."""


def openai_names(image: str = "visual.", text: str = "") -> Names:
    """OpenAI's names, which are also open_clip's, after the prefixes of the two towers."""
    return Names(
        f"{image}conv1.weight",
        f"{image}class_embedding",
        f"{image}positional_embedding",
        f"{image}ln_pre",
        image + "transformer.resblocks.{}.",
        f"{image}ln_post",
        f"{image}proj",
        f"{text}token_embedding.weight",
        f"{text}positional_embedding",
        text + "transformer.resblocks.{}.",
        f"{text}ln_final",
        f"{text}text_projection",
        OPENAI_BLOCK,
        transposed=False,
    )


HUGGING_FACE = Names(
    "vision_model.embeddings.patch_embedding.weight",
    "vision_model.embeddings.class_embedding",
    "vision_model.embeddings.position_embedding.weight",
    "vision_model.pre_layrnorm",  # so they call it
    "vision_model.encoder.layers.{}.",
    "vision_model.post_layernorm",
    "visual_projection.weight",
    "text_model.embeddings.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight",
    "text_model.encoder.layers.{}.",
    "text_model.final_layer_norm",
    "text_projection.weight",
    HUGGING_FACE_BLOCK,
    transposed=True,
)

IGNORED = (
    "attn_mask",  # old open_clip: the causal mask
    "input_resolution",  # OpenAI: the sizes, which the shapes tell too
    "context_length",
    "vocab_size",
    "vision_model.embeddings.position_ids",  # Hugging Face: 0, 1, 2, ...
    "text_model.embeddings.position_ids",
)
"""Tensors that say nothing new."""


@dataclass(frozen=True)
class Stated:
    """What a folder's configuration says of the towers; None where it says nothing."""

    heads: int | None = None
    text_heads: int | None = None
    activation: str | None = None
    mean: Triple | None = None
    std: Triple | None = None


def stated(facts: Mapping[str, Any]) -> Stated:
    """Out of `open_clip_config.json`, or Hugging Face's `config.json` and `preprocessor_config.json`.

    Raises:
        ModelError: they cannot be understood, or say what we do not have.
    """
    try:
        if "model_cfg" in facts.get("open_clip_config.json", {}):
            return _open_clip(facts["open_clip_config.json"])
        return _hugging_face(facts.get("config.json", {}), facts.get("preprocessor_config.json", {}))
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"its JSON files are malformed ({error}): download the folder again") from None


def _hugging_face(config: Mapping[str, Any], pixels: Mapping[str, Any]) -> Stated:
    if "vision_config" not in config:
        return Stated()
    image, text = config["vision_config"], config.get("text_config", {})
    for part in (image, text):
        if not math.isclose(part.get("layer_norm_eps", 1e-5), 1e-5):
            raise ModelError(
                f"config.json has layer_norm_eps {part['layer_norm_eps']}: CLIP's is 1e-5, no other is known"
            )
    # What is not in the file has the defaults of transformers' CLIPVisionConfig and CLIPTextConfig
    activations = {c.get("hidden_act", "quick_gelu").replace("quick_gelu", "quickgelu") for c in (image, text)}
    if len(activations) != 1 or not activations <= {"gelu", "quickgelu"}:
        raise ModelError(
            f"config.json has the activations {' and '.join(sorted(activations))}: known are gelu, quick_gelu"
        )
    return Stated(
        int(image.get("num_attention_heads", 12)),
        int(text.get("num_attention_heads", 8)),
        activations.pop(),
        _triple(pixels.get("image_mean")),
        _triple(pixels.get("image_std")),
    )


def _open_clip(config: Mapping[str, Any]) -> Stated:
    model, pixels = config["model_cfg"], config.get("preprocess_cfg", {})
    image, text = model.get("vision_cfg", {}), model.get("text_cfg", {})
    width, channels = image.get("width", 768), image.get("head_width", HEAD_CHANNELS)
    return Stated(
        int(width) // int(channels),
        int(text.get("heads", 8)),
        "quickgelu" if model.get("quick_gelu") else "gelu",
        _triple(pixels.get("mean")),
        _triple(pixels.get("std")),
    )


def _triple(values: object) -> Triple | None:
    if not isinstance(values, list | tuple) or len(values) != 3:
        return None
    r, g, b = map(float, values)
    return r, g, b


def square_grid(tokens: int, source: str) -> int:
    """The side of a square of tokens."""
    side = math.isqrt(tokens)
    if tokens < 1 or side * side != tokens:
        raise ModelError(
            f"{source} has positions for {tokens} patches, which are not a square: give the input's size with --size"
        )
    return side


def input_size(
    tokens: int, patch: tuple[int, int], size: tuple[int, int] | None, source: str, choices: Choices
) -> tuple[int, int]:
    """Height and width in pixels: as said, a square for square patches, or PARSeq's, four times as wide as high.

    `size` is what the checkpoint states, `tokens` the number of its patches, `source` the tensor that tells it.
    """
    if given := choices.given("size") or size:
        rows, columns = given[0] // patch[0], given[1] // patch[1]
        if rows * columns != tokens or (rows * patch[0], columns * patch[1]) != given:
            raise ModelError(
                f"{source} has {tokens} patches, inputs of {given[0]}x{given[1]} have {rows * columns}: check --size"
            )
        return given[0], given[1]
    if patch[0] == patch[1]:
        side = square_grid(tokens, source)
        return side * patch[0], side * patch[1]
    rows = math.isqrt(tokens * patch[1] // (4 * patch[0]))
    if rows < 1 or tokens % rows or tokens // rows * patch[1] != 4 * rows * patch[0]:
        raise ModelError(
            f"{source} has {tokens} patches of {patch[0]}x{patch[1]}: give the input's height and width with --size"
        )
    choices.assumed.append(
        f"input {rows * patch[0]}x{4 * rows * patch[0]} (four times as wide as high, as PARSeq's; --size)"
    )
    return rows * patch[0], 4 * rows * patch[0]


@dataclass(frozen=True)
class Defaults:
    """What is assumed of the towers where nothing is stated, and for which reason."""

    head_channels: Mapping[int, int]
    activation: str
    why: str


OPENAI = Defaults({}, "quickgelu", "as OpenAI's")
OPEN_CLIP = Defaults(OPENCLIP_HEAD_CHANNELS, "gelu", "as most of OpenCLIP's; DFN's and OpenAI's have quickgelu")
CLIP4STR = Defaults({}, "quickgelu", "as CLIP4STR runs all of its towers")


def read_clip(
    tensors: Tensors, names: Names, said: Stated, defaults: Defaults, choices: Choices
) -> tuple[State, ClipConfig]:
    """Both towers: their tensors under our names, and their configuration.

    Whether all tensors were there is for the caller to check.
    """
    width, _, high, wide = tensors.shape(names.patches, 4)
    positions, _ = tensors.shape(names.image_positions, 2)
    vocab_size, text_width = tensors.shape(names.tokens, 2)
    context, _ = tensors.shape(names.text_positions, 2)
    first, last = tensors.shape(names.text_projection, 2)
    embed_dim = first if names.transposed else last
    size = input_size(positions - 1, (high, wide), None, names.image_positions, choices)

    image, layers = blocks(tensors, names.image_blocks, names.block, width)
    image |= {
        "stem.weight": tensors.take(names.patches, width, 3, high, wide),
        "class_embedding": tensors.take(names.class_embedding, width),
        "positional_embedding": tensors.take(names.image_positions, positions, width),
        "projection": _projection(tensors, names.image_projection, width, embed_dim, names.transposed),
    }
    image |= norm(tensors, names.norm_pre, "norm_pre", width) | norm(tensors, names.norm_post, "norm_post", width)
    text, text_layers = blocks(tensors, names.text_blocks, names.block, text_width)
    text |= {
        "token_embedding.weight": tensors.take(names.tokens, vocab_size, text_width),
        "positional_embedding": tensors.take(names.text_positions, context, text_width),
        "projection": _projection(tensors, names.text_projection, text_width, embed_dim, names.transposed),
    }
    text |= norm(tensors, names.norm_final, "norm_final", text_width)
    if vocab_size != VOCAB_SIZE:
        raise ModelError(
            f"{names.tokens} has {vocab_size} tokens, CLIP's byte-pair encoding {VOCAB_SIZE}: not CLIP's text tower"
        )
    choices.found += [
        f"image tower: {size[0]}x{size[1]}, patches of {high}x{wide}, width {width}, {layers} layers",
        f"text tower: {context} positions, width {text_width}, {text_layers} layers",
        f"common width: {embed_dim}",
    ]
    each = defaults.head_channels.get(width, HEAD_CHANNELS)
    heads = choices.choose("heads", "image heads", said.heads, width // each, f"{each} channels each")
    text_heads = choices.choose(
        "text_heads", "text heads", said.text_heads, text_width // HEAD_CHANNELS, f"{HEAD_CHANNELS} channels each"
    )
    activation = choices.choose("activation", "activation", said.activation, defaults.activation, defaults.why)
    mean = choices.choose("mean", "mean", said.mean, MEAN, "CLIP's training images")
    std = choices.choose("std", "deviation", said.std, STD, "CLIP's training images")
    config = ClipConfig(
        ImageTowerConfig(
            *size,
            patch=(high, wide),
            width=width,
            layers=layers,
            heads=check_heads(heads, width, "heads"),
            activation=activation,
        ),
        TextTowerConfig(
            vocab_size, context, text_width, text_layers, check_heads(text_heads, text_width, "text-heads"), activation
        ),
        embed_dim,
        mean=mean,
        std=std,
    )
    return prefixed("image_tower.", image) | prefixed("text_tower.", text), config


def _projection(tensors: Tensors, name: str, width: int, embed_dim: int, transposed: bool) -> Any:
    return tensors.take(name, embed_dim, width).T if transposed else tensors.take(name, width, embed_dim)
