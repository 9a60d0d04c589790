"""CLIP's towers out of OpenAI's, open_clip's and Hugging Face's checkpoints."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from wordsight.errors import ModelError
from wordsight.models.clip import Clip
from wordsight.models.clip.config import MEAN, STD, VOCAB_SIZE, ClipConfig
from wordsight.models.config import ImageTowerConfig, TextTowerConfig
from wordsight.weights.choices import Choices, Options, triple
from wordsight.weights.tensors import Facts, Read, Rules, State, Tensors, fill, foreign_name, on_meta

HEAD_CHANNELS = 64
"""Channels of a head in all of OpenAI's towers, and in OpenCLIP's but for the widest."""

OPENCLIP_HEAD_CHANNELS = {1280: 80, 1408: 88, 1664: 104}
"""By width, where OpenCLIP's image towers have other heads (`head_width` of its ViT-H-14, ViT-g-14, ViT-bigG-14)."""


def openai_names(image: str = "visual.", text: str = "") -> Rules:
    """OpenAI's names, which are also open_clip's, after the prefixes of the two towers."""
    return (
        (r"\.blocks\.", ".transformer.resblocks."),
        (r"\.attention\.[qkv]\.", ".attn.in_proj_"),  # `torch.nn.MultiheadAttention` has no dot in these names
        (r"\.attention\.out\.", ".attn.out_proj."),
        (r"\.mlp\.0\.", ".mlp.c_fc."),
        (r"\.mlp\.3\.", ".mlp.c_proj."),
        (r"\.norm([12])\.", r".ln_\1."),
        (r"\.norm_", ".ln_"),
        (r"^image_tower\.stem\.", f"{image}conv1."),
        (r"^image_tower\.projection$", f"{image}proj"),
        (r"^text_tower\.projection$", f"{text}text_projection"),
        (r"^image_tower\.", image),
        (r"^text_tower\.", text),
    )


HUGGING_FACE: Rules = (
    (r"\.blocks\.", ".encoder.layers."),
    (r"\.attention\.([qkv])\.", r".self_attn.\1_proj."),
    (r"\.attention\.out\.", ".self_attn.out_proj."),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"\.norm([12])\.", r".layer_norm\1."),
    (r"\.norm_pre\.", ".pre_layrnorm."),  # so they call it
    (r"\.norm_post\.", ".post_layernorm."),
    (r"\.norm_final\.", ".final_layer_norm."),
    (r"\.stem\.", ".embeddings.patch_embedding."),
    (r"\.(class|token)_embedding", r".embeddings.\1_embedding"),
    (r"\.positional_embedding$", ".embeddings.position_embedding.weight"),
    (r"^image_tower\.projection$", "visual_projection.weight"),
    (r"^text_tower\.projection$", "text_projection.weight"),
    (r"^image_tower\.", "vision_model."),
    (r"^text_tower\.", "text_model."),
)

IGNORED = (
    "attn_mask",  # old open_clip: the causal mask
    "input_resolution",  # OpenAI: the sizes, which the shapes give too
    "context_length",
    "vocab_size",
    r"vision_model\.embeddings\.position_ids",  # Hugging Face: 0, 1, 2, ...
    r"text_model\.embeddings\.position_ids",
)
"""Names of tensors that say nothing new, as regular expressions."""


def _hugging_face(config: Facts, pixels: Facts) -> Options:
    if "vision_config" not in config:
        return Options()
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
    return Options(
        heads=int(image.get("num_attention_heads", 12)),
        text_heads=int(text.get("num_attention_heads", 8)),
        activation=activations.pop(),
        mean=triple(pixels.get("image_mean")),
        std=triple(pixels.get("image_std")),
    )


def _open_clip(config: Facts) -> Options:
    model, pixels = config["model_cfg"], config.get("preprocess_cfg", {})
    image, text = model.get("vision_cfg", {}), model.get("text_cfg", {})
    width, channels = image.get("width", 768), image.get("head_width", HEAD_CHANNELS)
    return Options(
        heads=int(width) // int(channels),
        text_heads=int(text.get("heads", 8)),
        activation="quickgelu" if model.get("quick_gelu") else "gelu",
        mean=triple(pixels.get("mean")),
        std=triple(pixels.get("std")),
    )


def input_size(
    tokens: int, patch: tuple[int, int], size: tuple[int, int] | None, source: str, choices: Choices
) -> tuple[int, int]:
    """Height and width in pixels: as said, a square for square patches, or PARSeq's, four times as wide as high.

    `size` is what the checkpoint states, `tokens` the number of its patches, `source` the tensor with that number.
    """
    if given := choices.given("size") or size:
        rows, columns = given[0] // patch[0], given[1] // patch[1]
        if rows * columns != tokens or (rows * patch[0], columns * patch[1]) != given:
            raise ModelError(
                f"{source} has {tokens} patches, inputs of {given[0]}x{given[1]} have {rows * columns}: check --size"
            )
        return given[0], given[1]
    if patch[0] == patch[1]:
        side = math.isqrt(tokens)
        if tokens < 1 or side * side != tokens:
            raise ModelError(
                f"{source} has places for {tokens} patches, which are not a square: give the input's size with --size"
            )
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


def read_clip(names: Rules, defaults: Defaults, tensors: Tensors, facts: Facts, choices: Choices) -> Read:
    """CLIP itself, by the names and with the defaults of those who trained it.

    Of itself it says what `open_clip_config.json`, or Hugging Face's `config.json` and `preprocessor_config.json` say.

    Raises:
        ModelError: they say what we do not have.
        TypeError, ValueError, AttributeError, ArithmeticError: they cannot be understood.
    """
    open_clip = facts.get("open_clip_config.json", {})
    said = (
        _open_clip(open_clip)
        if "model_cfg" in open_clip
        else _hugging_face(facts.get("config.json", {}), facts.get("preprocessor_config.json", {}))
    )
    state, config = read_towers(tensors, names, said, defaults, choices)
    state["logit_scale"] = tensors.take("logit_scale")  # some versions stored it as one of one
    return Read(Clip, config, state)


def read_towers(
    tensors: Tensors, names: Rules, said: Options, defaults: Defaults, choices: Choices
) -> tuple[State, ClipConfig]:
    """Both towers: their tensors under our names, and their configuration.

    Whether all tensors were there is for the caller to check.
    """
    where, tokens, projection = (
        foreign_name(name, names)
        for name in ("image_tower.positional_embedding", "text_tower.token_embedding.weight", "text_tower.projection")
    )
    width, _, high, wide = tensors.shape(foreign_name("image_tower.stem.weight", names), 4)
    positions, _ = tensors.shape(where, 2)
    vocab_size, text_width = tensors.shape(tokens, 2)
    context, _ = tensors.shape(foreign_name("text_tower.positional_embedding", names), 2)
    embed_dim = tensors.shape(projection, 2)[0 if projection.endswith(".weight") else 1]
    size = input_size(positions - 1, (high, wide), None, where, choices)
    layers, text_layers = (
        tensors.count(foreign_name(f"{tower}.blocks.{{}}.", names)) for tower in ("image_tower", "text_tower")
    )
    if vocab_size != VOCAB_SIZE:
        raise ModelError(f"{tokens} has {vocab_size} tokens, CLIP's byte-pair encoding {VOCAB_SIZE}: not CLIP's tower")
    choices.found += [
        f"image tower: {size[0]}x{size[1]}, patches of {high}x{wide}, width {width}, {layers} layers",
        f"text tower: {context} positions, width {text_width}, {text_layers} layers",
        f"common width: {embed_dim}",
    ]
    each = defaults.head_channels.get(width, HEAD_CHANNELS)
    heads = choices.heads("heads", "image heads", said.heads, width, width // each, f"{each} channels each")
    usual, why = text_width // HEAD_CHANNELS, f"{HEAD_CHANNELS} channels each"
    text_heads = choices.heads("text_heads", "text heads", said.text_heads, text_width, usual, why)
    activation = choices.choose("activation", "activation", said.activation, defaults.activation, defaults.why)
    normalisation = choices.normalisation({"mean": said.mean, "std": said.std}, (MEAN, STD), "CLIP's training images")
    config = ClipConfig(
        ImageTowerConfig(*size, (high, wide), width=width, layers=layers, heads=heads, activation=activation),
        TextTowerConfig(vocab_size, context, text_width, text_layers, text_heads, activation),
        embed_dim,
        **normalisation,
    )
    return fill(on_meta(Clip, config), tensors, names, ("image_tower.", "text_tower.")), config
