"""Recognizers and vision transformers out of the checkpoints of CLIP4STR, PARSeq and timm."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wordsight.errors import ModelError
from wordsight.models.clip.image import ImageTower
from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.config import DecoderConfig, ImageTowerConfig
from wordsight.models.parseq import Parseq, ParseqConfig
from wordsight.models.peft import PeftConfig
from wordsight.text import PRESETS, Charset
from wordsight.weights.choices import Choices, Triple, check_heads
from wordsight.weights.clip import CLIP4STR, HEAD_CHANNELS, Stated, input_size, openai_names, read_clip
from wordsight.weights.tensors import Rules, State, Tensors, fill, foreign_name, on_meta, prefixed

Facts = Mapping[str, Any]

HALF: Triple = (0.5, 0.5, 0.5)

TIMM_NORM_EPS = 1e-6

TIMM_HEAD_CHANNELS = {1280: 80}
"""By width, where timm's vision transformers have other heads than of 64 channels: ViT-H."""

RELEASED_CHARSETS = ("36", "62", "94")
"""Our charsets that are those of PARSeq and CLIP4STR, in the same order."""

WIDEST = 512
"""A decoder over a wider vision transformer is this wide, as CLIP4STR's authors compare encoders."""


TIMM: Rules = (
    (r"\battention\.[qkv]\.", "attn.qkv."),
    (r"\battention\.out\.", "attn.proj."),
    (r"\bmlp\.0\.", "mlp.fc1."),
    (r"\bmlp\.3\.", "mlp.fc2."),
    (r"\bnorm_post\.", "norm."),
    (r"\bstem\.", "patch_embed.proj."),
    (r"\bclass_embedding$", "cls_token"),
    (r"\bpositional_embedding$", "pos_embed"),
)

DECODER: Rules = (
    (r"_attention\.[qkv]\.", "_attn.in_proj_"),
    (r"_attention\.out\.", "_attn.out_proj."),
    (r"\.norm_query\.", ".norm_q."),
    (r"\.norm_content\.", ".norm_c."),
    (r"\.mlp\.0\.", ".linear1."),
    (r"\.mlp\.3\.", ".linear2."),
    (r"\.embedding\.", ".text_embed.embedding."),
    (r"\.positions$", ".pos_queries"),
)
"""PARSeq's decoder, and those of CLIP4STR."""


def _parseq_decoder(prefix: str) -> Rules:
    """PARSeq keeps embeddings and head beside the decoder, not in it."""
    return (*DECODER, (r"^visual_decoder\.(layers|norm)\.", rf"{prefix}decoder.\1."), (r"^visual_decoder\.", prefix))


def read_clip4str(tensors: Tensors, facts: Facts, choices: Choices) -> tuple[State, Clip4StrConfig]:
    """CLIP4STR as its authors release it, or as their code trains it."""
    said: Facts = facts.get("hyper_parameters", {})
    names = openai_names("clip_model.visual.", "clip_model.")
    state, towers = read_clip(tensors, names, Stated(), CLIP4STR, choices)
    sizes = _decoder_sizes(tensors, DECODER)
    share_dim = sizes.width == towers.embed_dim
    if not share_dim and sizes.width != towers.image.width:
        raise ModelError(
            f"its visual decoder is {sizes.width} wide, neither {towers.embed_dim} nor {towers.image.width}"
        )
    text = towers.text
    if said.get("cross_token_embeding"):  # so they call it: the text tower's token embeddings and nothing else of it
        text = replace(text, embedding_only=True)
        state = {k: v for k, v in state.items() if not k.startswith("text_tower.") or "token_embedding" in k}
        choices.found.append("text tower: its token embeddings only (stated)")
    decoder, charset = _decoder_choices(sizes, said, 8, "as CLIP4STR's", choices)
    config = Clip4StrConfig(
        image=towers.image,
        text=text,
        decoder=decoder,
        embed_dim=towers.embed_dim,
        charset=charset,
        max_length=sizes.max_length,
        num_permutations=int(said.get("perm_num", 6)),
        captions="clip",
        caption_context=int(said.get("context_length", 16)),
        share_dim=share_dim,
        pooled=bool(said.get("clip_cls_eot_feature", False)),
        cross_steps="visual",
        mean=towers.mean,
        std=towers.std,
    )
    return state | fill(on_meta(Clip4Str, config), tensors, DECODER, ("visual_decoder.", "cross_decoder.")), config


ADAPTER = "adapter.fc."
"""CLIP-Adapter, the only one of the authors' adapters that is converted."""


def read_visual_clip4str(
    tensors: Tensors, facts: Facts, choices: Choices
) -> tuple[State, ParseqConfig, PeftConfig | None]:
    """CLIP4STR's visual branch alone, which is a PARSeq in CLIP's tower: without its language model, or the authors'
    `str_adapter`, whose tower stood still.
    """
    said: Facts = facts.get("hyper_parameters", {})
    if said.get("clip_cls_eot_feature"):
        raise ModelError("its decoder reads the class token alone (clip_cls_eot_feature): only whole images are known")
    adapted = "visual_decoder.head.weight" not in tensors
    names = _parseq_decoder("") if adapted else DECODER
    state, towers = read_clip(tensors, openai_names("clip_model.visual.", "clip_model."), Stated(), CLIP4STR, choices)
    state = {name: tensor for name, tensor in state.items() if not name.startswith("text_tower.")}
    sizes = _decoder_sizes(tensors, names)
    if sizes.width == towers.image.width != towers.embed_dim:  # use_share_dim off: no projection
        state["image_tower.projection"] = state["image_tower.norm_post.weight"].new_zeros(2 * [sizes.width])
        state["image_tower.projection"].fill_diagonal_(1)
    elif sizes.width != towers.embed_dim:
        raise ModelError(f"its decoder is {sizes.width} wide, neither {towers.embed_dim} nor {towers.image.width}")
    peft = _adapter(tensors, state, said, sizes.width) if adapted else None
    choices.found.append("no cross-modal branch: the text tower is left out")
    decoder, charset = _decoder_choices(sizes, said, 8, "as CLIP4STR's", choices)
    config = ParseqConfig(
        image=towers.image,
        decoder=decoder,
        embed_dim=sizes.width,
        charset=charset,
        max_length=sizes.max_length,
        num_permutations=int(said.get("perm_num", 6)),
        mean=towers.mean,
        std=towers.std,
    )
    return state | fill(on_meta(Parseq, config), tensors, names, "visual_decoder."), config, peft


def _adapter(tensors: Tensors, state: State, said: Facts, width: int) -> PeftConfig:
    """What of the authors' adapters is ours too, its tensors added to `state`, the tower's moved below it."""
    kind = str(said.get("adapter_type", "not stated"))
    if any(tensors.begin(start) for start in ("adapter.resblocks.", "adapter.attn.", "adapter.alpha")):
        raise ModelError(
            f"CLIP4STR's visual branch with an adapter ({kind}) that is not known here: only CLIP-Adapter (linear) is"
        )
    tower = {name: state.pop(name) for name in list(state) if name.startswith("image_tower.")}
    if not tensors.begin(ADAPTER):  # none at all
        state |= tower
        return PeftConfig("frozen")
    state |= {name.replace("image_tower.", "image_tower.tower."): tensor for name, tensor in tower.items()}
    for index, shape in ((0, (width // 2, width)), (2, (width, width // 2))):
        ours = f"image_tower.adapter.bottleneck.{index}.weight"
        state[ours] = tensors.take(f"{ADAPTER}{index}.weight", *shape)
    return PeftConfig("adapter")


def read_parseq(tensors: Tensors, facts: Facts, choices: Choices, prefix: str) -> tuple[State, ParseqConfig]:
    """PARSeq as its author releases it (timm's vision transformer, and a decoder of the same width)."""
    said: Facts = facts.get("hyper_parameters", {})
    names = _parseq_decoder(prefix)
    sizes = _decoder_sizes(tensors, names)
    state, image = read_vit(tensors, f"{prefix}encoder.", said.get("enc_num_heads"), said.get("img_size"), choices)
    if image.width != sizes.width:
        raise ModelError(
            f"its encoder is {image.width} wide and its decoder {sizes.width}: in PARSeq they are the same"
        )
    # Our towers end with a projection, PARSeq's does not: here it changes nothing
    state["projection"] = state["norm_post.weight"].new_zeros(image.width, image.width).fill_diagonal_(1)
    decoder, charset = _decoder_choices(sizes, said, sizes.width // 32, "32 channels each, as PARSeq's", choices)
    config = ParseqConfig(
        image=image,
        decoder=decoder,
        embed_dim=sizes.width,
        charset=charset,
        max_length=sizes.max_length,
        num_permutations=int(said.get("perm_num", 6)),
        mean=choices.choose("mean", "mean", None, HALF, "as PARSeq's"),
        std=choices.choose("std", "deviation", None, HALF, "as PARSeq's"),
    )
    decoder_state = fill(on_meta(Parseq, config), tensors, names, "visual_decoder.")
    return prefixed("image_tower.", state) | decoder_state, config


def read_timm(tensors: Tensors, facts: Facts, choices: Choices) -> tuple[State, ParseqConfig]:
    """A vision transformer with timm's names (DeiT's too) as the tower of a PARSeq whose other weights are new."""
    said = facts.get("config.json", {}).get("pretrained_cfg", {})
    state, image = read_vit(tensors, "", None, None, choices)
    width = min(image.width, WIDEST)
    charset = choices.choose("charset", "charset", None, Charset.preset("94"), "nothing reads yet")
    heads = choices.choose("decoder_heads", "decoder heads", None, width // 64, "64 channels each, as CLIP4STR's")
    mean, std = (tuple(said[key]) if len(said.get(key, ())) == 3 else None for key in ("mean", "std"))
    return prefixed("image_tower.", state), ParseqConfig(
        image=image,
        decoder=DecoderConfig(heads=check_heads(heads, width, "decoder-heads"), packed_init=True),
        embed_dim=width,
        charset=charset,
        mean=choices.choose("mean", "mean", mean, HALF, "as PARSeq's"),
        std=choices.choose("std", "deviation", std, HALF, "as PARSeq's"),
    )


def read_vit(
    tensors: Tensors, prefix: str, heads: int | None, size: object, choices: Choices
) -> tuple[State, ImageTowerConfig]:
    """timm's VisionTransformer without its classifier, with or without a class token.

    Its patch convolution has a bias and ours has none; it is added to the positions of the patches, which is the same.
    """
    width, _, high, wide = tensors.shape(f"{prefix}patch_embed.proj.weight", 4)
    _, positions, _ = tensors.shape(f"{prefix}pos_embed", 3)
    class_token = f"{prefix}cls_token" in tensors
    layers = tensors.count(prefix + "blocks.{}.")
    stated = (int(size[0]), int(size[1])) if isinstance(size, list | tuple) and len(size) == 2 else None
    tokens = positions - int(class_token)
    height, width_px = input_size(tokens, (high, wide), stated, f"{prefix}pos_embed", choices)
    choices.found.append(
        f"image tower: {height}x{width_px}, patches of {high}x{wide}, width {width}, {layers} layers, "
        f"{'a' if class_token else 'no'} class token"
    )
    each = TIMM_HEAD_CHANNELS.get(width, HEAD_CHANNELS)
    chosen = choices.choose("heads", "image heads", heads, width // each, f"{each} channels each, as timm's")
    config = ImageTowerConfig(
        height,
        width_px,
        patch=(high, wide),
        class_token=class_token,
        width=width,
        layers=layers,
        heads=check_heads(chosen, width, "heads"),
        activation=choices.choose("activation", "activation", None, "gelu", "as timm's"),
        norm_pre=False,
        norm_eps=TIMM_NORM_EPS,
    )
    # The ViT that MIIL trained on ImageNet-21K has no bias in its packed projections, others do
    names = (*TIMM, ("^", prefix))
    state = fill(on_meta(ImageTower, config, None), tensors, names, optional="attn.qkv.bias")
    where = state["positional_embedding"] = state["positional_embedding"].clone()
    where[int(class_token) :] += tensors.take(f"{prefix}patch_embed.proj.bias", width)
    return state, config


@dataclass(frozen=True)
class DecoderSizes:
    """The sizes that follow from a decoder's shapes."""

    width: int
    depth: int
    hidden: int
    characters: int
    max_length: int


def _decoder_sizes(tensors: Tensors, names: Rules) -> DecoderSizes:
    head, queries, first = (
        foreign_name(f"visual_decoder.{name}", names) for name in ("head.weight", "positions", "layers.0.mlp.0.weight")
    )
    classes, width = tensors.shape(head, 2)
    _, positions, _ = tensors.shape(queries, 3)
    hidden, _ = tensors.shape(first, 2)
    depth = tensors.count(foreign_name("visual_decoder.layers.{}.", names))
    return DecoderSizes(width, depth, hidden, classes - 1, positions - 1)


def _decoder_choices(
    sizes: DecoderSizes, said: Facts, heads: int, why: str, choices: Choices
) -> tuple[DecoderConfig, Charset]:
    choices.found.append(
        f"decoder: {sizes.depth} layers, width {sizes.width}, words of up to {sizes.max_length} characters"
    )
    heads = choices.choose("decoder_heads", "decoder heads", said.get("dec_num_heads"), heads, why)
    config = DecoderConfig(
        depth=sizes.depth,
        heads=check_heads(heads, sizes.width, "decoder-heads"),
        mlp_ratio=sizes.hidden / sizes.width,
        dropout=float(said.get("dropout", 0.1)),
        packed_init=True,
    )
    written = said.get("charset_train")
    stated = _named(written) if isinstance(written, str) else None
    preset = next((p for p in RELEASED_CHARSETS if len(PRESETS[p]) == sizes.characters), None)
    if stated is None and preset is None and choices.options.charset is None:
        raise ModelError(f"it writes {sizes.characters} characters and does not say which: list them with --charset")
    default = Charset.preset(preset) if preset else None
    charset = choices.choose("charset", "charset", stated, default, "by its size, in PARSeq's order")
    assert charset is not None  # noqa: S101  (one of the three is there)
    if len(charset) != sizes.characters:
        raise ModelError(
            f"its head writes {sizes.characters} characters, the charset has {len(charset)}: check --charset"
        )
    return config, charset


def _named(characters: str) -> Charset:
    """The charset of these characters, under our name for it if we have one."""
    name = next((name for name, known in PRESETS.items() if known == characters), "converted")
    return Charset(name, characters)
