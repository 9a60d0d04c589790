"""Recognizers and vision transformers out of the checkpoints of CLIP4STR, PARSeq and timm."""

from dataclasses import replace
from typing import Any

from wordsight.errors import ModelError
from wordsight.models.clip.config import ClipConfig
from wordsight.models.clip.image import ImageTower
from wordsight.models.clip4str import Clip4Str, Clip4StrConfig
from wordsight.models.config import DecoderConfig, ImageTowerConfig
from wordsight.models.parseq import Parseq, ParseqConfig
from wordsight.models.peft import PeftConfig
from wordsight.text import PRESETS, Charset
from wordsight.weights.choices import Choices, Options, Triple
from wordsight.weights.clip import CLIP4STR, HEAD_CHANNELS, input_size, openai_names, read_towers
from wordsight.weights.tensors import Facts, Read, Rules, State, Tensors, fill, foreign_name, on_meta

HALF: tuple[Triple, Triple] = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

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


def read_clip4str(tensors: Tensors, facts: Facts, choices: Choices) -> Read:
    """CLIP4STR as its authors release it, or as their code trains it.

    The visual branch alone is a PARSeq in CLIP's tower: without its language model, or the authors' `str_adapter`,
    whose tower stood still.
    """
    said: Facts = facts.get("hyper_parameters", {})
    names = openai_names("clip_model.visual.", "clip_model.")
    state, towers = read_towers(tensors, names, Options(), CLIP4STR, choices)
    if not tensors.begin("cross_decoder."):
        return _visual_branch(tensors, said, choices, state, towers)
    width = _decoder_width(tensors, DECODER, towers)
    text = towers.text
    if said.get("cross_token_embeding"):  # so they call it: the text tower's token embeddings and nothing else of it
        text = replace(text, embedding_only=True)
        state = {k: v for k, v in state.items() if not k.startswith("text_tower.") or "token_embedding" in k}
        choices.found.append("text tower: its token embeddings only (stated)")
    config = Clip4StrConfig(
        image=towers.image,
        text=text,
        embed_dim=towers.embed_dim,
        captions="clip",
        caption_context=int(said.get("context_length", 16)),
        share_dim=width == towers.embed_dim,
        pooled=bool(said.get("clip_cls_eot_feature", False)),
        cross_steps="visual",
        mean=towers.mean,
        std=towers.std,
        **_decoding(tensors, DECODER, said, 8, "as CLIP4STR's", choices),
    )
    state |= fill(on_meta(Clip4Str, config), tensors, DECODER, ("visual_decoder.", "cross_decoder."))
    return Read(Clip4Str, config, state)


def _visual_branch(tensors: Tensors, said: Facts, choices: Choices, state: State, towers: ClipConfig) -> Read:
    if said.get("clip_cls_eot_feature"):
        raise ModelError("its decoder reads the class token alone (clip_cls_eot_feature): only whole images are known")
    adapted = "visual_decoder.head.weight" not in tensors
    names = _parseq_decoder("") if adapted else DECODER
    state = {name: tensor for name, tensor in state.items() if not name.startswith("text_tower.")}
    width = _decoder_width(tensors, names, towers)
    if width != towers.embed_dim:  # use_share_dim off: no projection
        _add_identity(state, width)
    peft = _adapter(tensors, state, said, width) if adapted else None
    choices.found.append("no cross-modal branch: the text tower is left out")
    common = _decoding(tensors, names, said, 8, "as CLIP4STR's", choices)
    config = ParseqConfig(image=towers.image, embed_dim=width, mean=towers.mean, std=towers.std, **common)
    state |= fill(on_meta(Parseq, config), tensors, names, "visual_decoder.")
    return Read(Parseq, config, state, {"cross": False}, peft)


ADAPTER = "adapter.fc."
"""CLIP-Adapter, the only one of the authors' adapters that is converted."""


def _adapter(tensors: Tensors, state: State, said: Facts, width: int) -> PeftConfig:
    """What of the authors' adapters is ours too, its tensors added to `state`, the tower's moved below it."""
    kind = str(said.get("adapter_type", "not stated"))
    if any(tensors.begin(start) for start in ("adapter.resblocks.", "adapter.attn.", "adapter.alpha")):
        raise ModelError(
            f"CLIP4STR's visual branch with an adapter ({kind}) that is not known here: only CLIP-Adapter (linear) is"
        )
    if not tensors.begin(ADAPTER):  # none at all
        return PeftConfig("frozen")
    for name in [name for name in state if name.startswith("image_tower.")]:
        state[name.replace("image_tower.", "image_tower.tower.")] = state.pop(name)
    for index, shape in ((0, (width // 2, width)), (2, (width, width // 2))):
        ours = f"image_tower.adapter.bottleneck.{index}.weight"
        state[ours] = tensors.take(f"{ADAPTER}{index}.weight", *shape)
    return PeftConfig("adapter")


def read_parseq(prefix: str, tensors: Tensors, facts: Facts, choices: Choices) -> Read:
    """PARSeq as its author releases it (timm's vision transformer, and a decoder of the same width)."""
    said: Facts = facts.get("hyper_parameters", {})
    names = _parseq_decoder(prefix)
    width = _decoder_width(tensors, names)
    state, image = read_vit(tensors, f"{prefix}encoder.", said.get("enc_num_heads"), said.get("img_size"), choices)
    if image.width != width:
        raise ModelError(f"its encoder is {image.width} wide and its decoder {width}: in PARSeq they are the same")
    _add_identity(state, width)
    common = _decoding(tensors, names, said, width // 32, "32 channels each, as PARSeq's", choices)
    config = ParseqConfig(image=image, embed_dim=width, **choices.normalisation({}, HALF, "as PARSeq's"), **common)
    state |= fill(on_meta(Parseq, config), tensors, names, "visual_decoder.")
    return Read(Parseq, config, state, {"cross": False})


def read_timm(tensors: Tensors, facts: Facts, choices: Choices) -> Read:
    """A vision transformer with timm's names (DeiT's too) as the tower of a PARSeq whose other weights are new."""
    state, image = read_vit(tensors, "", None, None, choices)
    width = min(image.width, WIDEST)
    charset = choices.choose("charset", "charset", None, Charset.preset("94"), "nothing reads yet")
    why = "64 channels each, as CLIP4STR's"
    heads = choices.heads("decoder_heads", "decoder heads", None, width, width // 64, why)
    config = ParseqConfig(
        image=image,
        decoder=DecoderConfig(heads=heads, packed_init=True),
        embed_dim=width,
        charset=charset,
        **choices.normalisation(facts.get("config.json", {}).get("pretrained_cfg", {}), HALF, "as PARSeq's"),
    )
    return Read(Parseq, config, state, {"cross": False})


def _add_identity(state: State, width: int) -> None:
    """The projection of a tower that has none, as ours have: it changes nothing."""
    state["image_tower.projection"] = state["image_tower.norm_post.weight"].new_zeros(width, width).fill_diagonal_(1)


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
    config = ImageTowerConfig(
        height,
        width_px,
        patch=(high, wide),
        class_token=class_token,
        width=width,
        layers=layers,
        heads=choices.heads("heads", "image heads", heads, width, width // each, f"{each} channels each, as timm's"),
        activation=choices.choose("activation", "activation", None, "gelu", "as timm's"),
        norm_pre=False,
        norm_eps=TIMM_NORM_EPS,
    )
    # The ViT that MIIL trained on ImageNet-21K has no bias in its packed projections, others do
    names = (*TIMM, ("^", prefix))
    state = fill(on_meta(ImageTower, config, None), tensors, names, optional="attn.qkv.bias")
    where = state["positional_embedding"] = state["positional_embedding"].clone()
    where[int(class_token) :] += tensors.take(f"{prefix}patch_embed.proj.bias", width)
    return {f"image_tower.{name}": tensor for name, tensor in state.items()}, config


def _decoder_width(tensors: Tensors, names: Rules, towers: ClipConfig | None = None) -> int:
    """The width of the visual decoder; in front of CLIP's towers it is one of theirs."""
    _, width = tensors.shape(foreign_name("visual_decoder.head.weight", names), 2)
    if towers is not None and width not in (towers.embed_dim, towers.image.width):
        raise ModelError(f"its visual decoder is {width} wide, neither {towers.embed_dim} nor {towers.image.width}")
    return width


def _decoding(tensors: Tensors, names: Rules, said: Facts, heads: int, why: str, choices: Choices) -> dict[str, Any]:
    """What the configurations of CLIP4STR and PARSeq have in common: decoder, charset, lengths and permutations."""
    head, queries, first, layer = (
        foreign_name(f"visual_decoder.{name}", names)
        for name in ("head.weight", "positions", "layers.0.mlp.0.weight", "layers.{}.")
    )
    classes, width = tensors.shape(head, 2)
    _, positions, _ = tensors.shape(queries, 3)
    hidden, _ = tensors.shape(first, 2)
    depth, characters, max_length = tensors.count(layer), classes - 1, positions - 1
    choices.found.append(f"decoder: {depth} layers, width {width}, words of up to {max_length} characters")
    config = DecoderConfig(
        depth=depth,
        heads=choices.heads("decoder_heads", "decoder heads", said.get("dec_num_heads"), width, heads, why),
        mlp_ratio=hidden / width,
        dropout=float(said.get("dropout", 0.1)),
        packed_init=True,
    )
    written = said.get("charset_train")
    ours = next((name for name, known in PRESETS.items() if known == written), "converted")  # our name for it
    stated = Charset(ours, written) if isinstance(written, str) else None
    preset = next((p for p in RELEASED_CHARSETS if len(PRESETS[p]) == characters), None)
    if stated is None and preset is None and choices.options.charset is None:
        raise ModelError(f"it writes {characters} characters and does not say which: list them with --charset")
    default = Charset.preset(preset) if preset else None
    charset = choices.choose("charset", "charset", stated, default, "by its size, in PARSeq's order")
    assert charset is not None  # noqa: S101  (one of the three is there)
    if len(charset) != characters:
        raise ModelError(f"its head writes {characters} characters, the charset has {len(charset)}: check --charset")
    return {
        "decoder": config,
        "charset": charset,
        "max_length": max_length,
        "num_permutations": int(said.get("perm_num", 6)),
    }
