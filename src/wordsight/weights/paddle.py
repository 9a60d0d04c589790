"""PP-OCRv6's models as the hub has them: folders `PP-OCRv6_*_safetensors`, in the layout of `transformers`.

There convolutions and the batch norms after them are kept apart; ours are folded. `config.json` gives the sizes,
`preprocessor_config.json` what the input is like and which characters a recognizer writes.
"""

import unicodedata
from typing import Any

import torch
from torch import Tensor, nn

from wordsight.errors import ModelError
from wordsight.models.charset import cut_head
from wordsight.models.ppocr import Db, DbConfig, LcNetConfig, NeckConfig, Svtr, SvtrConfig
from wordsight.models.ppocr.pyramids import Strips
from wordsight.text import Charset
from wordsight.weights.choices import Choices, Triple
from wordsight.weights.ppocr import folded
from wordsight.weights.recognizers import HALF
from wordsight.weights.tensors import Facts, Read, Rules, State, Tensors, foreign_name, on_meta

SIGN = "model.backbone.encoder.convolution.stem1.convolution.weight"
"""A name that all of them have."""

IGNORED = (r".+\.num_batches_tracked",)

_RECOGNIZERS = ("pp_ocrv6_small_rec",)
_DETECTORS = ("pp_ocrv6_small_det", "pp_ocrv6_medium_det")
_DETECTORS_SEE: tuple[Triple, Triple] = (0.406, 0.456, 0.485), (0.225, 0.224, 0.229)
"""Mean and standard deviation of R, G and B: ImageNet's, which PaddleOCR has always applied in the order B, G, R."""
_NORM_EPS = 1e-5  # of batch norms: PyTorch's


def read_paddle(tensors: Tensors, facts: Facts, choices: Choices) -> Read:
    """A recognizer or detector of PP-OCRv6's, as `Svtr` or `Db`.

    Args:
        tensors: its weights.
        facts: the JSON files of its folder.
        choices: mean, std and, of a recognizer, the characters: its head is cut to them.

    Raises:
        ModelError: files or tensors are missing, or it is a model of another build.
    """
    config = facts.get("config.json")
    if config is None:
        raise ModelError("its sizes are in config.json: pass the folder with it and the weights")
    seen = facts.get("preprocessor_config.json", {})
    kind = config.get("model_type")
    if kind in _RECOGNIZERS:
        return _recognizer(config, seen, tensors, choices)
    if kind in _DETECTORS:
        detector = _detector(config, seen, choices, large=kind == "pp_ocrv6_medium_det")
        return Read(Db, detector, _weights(on_meta(Db, detector), tensors))
    raise ModelError(f"it is a {kind!r}: known are {', '.join((*_RECOGNIZERS, *_DETECTORS))}")


def _recognizer(config: Facts, seen: Facts, tensors: Tensors, choices: Choices) -> Read:
    kernel = config.get("conv_kernel_size", [1, 7])
    _check(config, {"hidden_act": "silu", "conv_kernel_size": [1, kernel[-1]]})
    classes, width = tensors.shape("head.head.weight", 2)
    characters = seen.get("character_list")
    if not isinstance(characters, list) or len(characters) not in (classes, classes - 1):
        raise ModelError(
            f"preprocessor_config.json does not name the characters of its {classes} rows: download the folder again"
        )
    written = [c if isinstance(c, str) else "" for c in characters[len(characters) - classes + 1 :]]  # less the blank
    # Some are other spellings of characters that it has too (the Angstrom sign): their rows are left out
    kept = [row for row, c in enumerate(written, 1) if len(c) == 1 and unicodedata.is_normalized("NFC", c)]
    charset = Charset("ppocr", "".join(written[row - 1] for row in kept))
    rows = [0, *kept]
    head = tensors.take("head.head.weight", classes, width)[rows], tensors.take("head.head.bias", classes)[rows]
    if (chosen := choices.choose("charset", "characters", charset, charset, "")) != charset:
        head, new = cut_head(head, charset.characters, chosen)
        if new:
            choices.assumed.append(f"{new} as their base letters, a little less likely (the model does not write them)")
    cfg = SvtrConfig(
        charset=chosen,
        convolutions=_convolutions(config),
        neck=NeckConfig(
            width=width,
            depth=config.get("depth", 2),
            heads=config.get("num_attention_heads", 8),
            mlp_ratio=config.get("mlp_ratio", 2.0),
            kernel=kernel[-1],
            norm_eps=config.get("layer_norm_eps", 1e-6),
        ),
        **_normalisation(seen, choices, HALF),
    )
    model = on_meta(Svtr, cfg)
    del model.head
    return Read(Svtr, cfg, _weights(model, tensors) | {"head.weight": head[0], "head.bias": head[1]})


def _detector(config: Facts, seen: Facts, choices: Choices, *, large: bool) -> DbConfig:
    _check(config, {"interpolate_mode": "nearest", "kernel_list": [3, 2, 2]})
    common: dict[str, Any] = _normalisation(seen, choices, _DETECTORS_SEE) | {"convolutions": _convolutions(config)}
    if not large:
        return DbConfig(
            width=config.get("neck_out_channels", 96),
            kernel=config.get("dilated_kernel_size", 7),
            reduction=config.get("reduction", 4),
            **common,
        )
    _check(config, {"scale_factor_list": [1, 2, 4, 8], "scale_factor": 2, "intraclass_block_number": 4})
    strips = {key: _pair(value[0]) for key, value in (config.get("intraclass_block_config") or {}).items()}
    for name, k in Strips.KERNELS.items():
        _check(
            strips,
            {
                f"vertical_long_to_small_conv_{name}": (k, 1),
                f"horizontal_small_to_long_conv_{name}": (1, k),
                f"symmetric_conv_long_{name}": (k, k),
            },
        )
    width, reduction = config.get("neck_out_channels", 256), config.get("reduce_factor", 2)
    return DbConfig(neck="large", width=width, kernel=9, reduction=reduction, **common)


def _convolutions(config: Facts) -> LcNetConfig:
    """Sizes of the convolutions; what a configuration leaves out is as in ours."""
    default = LcNetConfig()
    values = config.get("backbone_config") or {}
    expected = {"stem_type": "large", "hidden_act": "relu", "scale": 1, "stem_strides": [2, 1, 1, 2, 1]}
    _check(values, expected | {"use_learnable_affine_block": False})
    blocks = values.get("block_configs")
    return LcNetConfig(
        stem=tuple(values.get("stem_channels", default.stem)),
        stages=default.stages
        if blocks is None
        else tuple(
            tuple((k, before, after, _pair(stride), bool(excites)) for k, before, after, stride, excites in stage)
            for stage in blocks
        ),
        reduction=values.get("reduction", default.reduction),
    )


def _pair(size: Any) -> tuple[int, int]:
    """Down and across."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _check(values: Facts, expected: Facts) -> None:
    """What is stated of the build is what our modules have.

    Raises:
        ModelError: it is another build.
    """
    for key, wanted in expected.items():
        if (found := values.get(key)) is not None and found != wanted:
            raise ModelError(f"its {key} is {found}: only models with {wanted} are known")


def _normalisation(seen: Facts, choices: Choices, default: tuple[Triple, Triple]) -> dict[str, Any]:
    said = {key: seen.get(f"image_{key}") for key in ("mean", "std")}
    return choices.normalisation(said, default, "as in PaddleOCR")


_THEIRS: Rules = (
    (r"^image_encoder\.stem\.", "model.backbone.encoder.convolution."),
    (r"^image_encoder\.stages\.(\d+)\.(\d+)\.", r"model.backbone.encoder.blocks.\1.blocks.\2."),
    (r"^neck\.skip$", "head.encoder.conv_block.0"),
    (r"^neck\.reduce$", "head.encoder.conv_block.1"),
    (r"^neck\.local$", "head.encoder.conv_block.2"),
    (r"^neck\.(svtr_block\.\d+)\.(qkv|projection)$", r"head.encoder.\1.self_attn.\2"),
    (r"^neck\.(svtr_block\.\d+\.mlp)\.0$", r"head.encoder.\1.fc1"),
    (r"^neck\.(svtr_block\.\d+\.mlp)\.2$", r"head.encoder.\1.fc2"),
    (r"^neck\.(svtr_block\.\d+\.layer_norm[12]|norm)$", r"head.encoder.\1"),
    (r"^neck\.", "model.neck."),
)
"""How layers of ours are called there."""


def _weights(model: nn.Module, tensors: Tensors) -> State:
    """Weight and bias of every layer, norms folded into the convolutions before them."""
    state: State = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.LayerNorm):
            state[f"{name}.weight"], state[f"{name}.bias"] = _layer(layer, foreign_name(name, _THEIRS), tensors)
    first = "image_encoder.stem.stem1.weight"
    state[first] = state[first].flip(1)  # PP-OCR's pictures are BGR, ours RGB
    return state


def _layer(layer: Any, name: str, tensors: Tensors) -> tuple[Tensor, Tensor]:
    shape = tuple(layer.weight.shape)
    transposed = isinstance(layer, nn.ConvTranspose2d)
    channels = shape[1] if transposed else shape[0]

    def bias(at: str) -> Tensor:
        return tensors.take(f"{at}.bias", channels) if f"{at}.bias" in tensors else torch.zeros(channels)

    norm = next((n for n in (f"{name}.normalization", f"{name}.norm") if f"{n}.weight" in tensors), None)
    if norm is None:
        return tensors.take(f"{name}.weight", *shape), bias(name)
    # Rows of a recognizer are pictures of height 1 there
    stored = {2: (*shape, 1, 1), 3: (*shape[:2], 1, *shape[2:]), 4: shape}[len(shape)]
    weight = tensors.take(f"{name}.convolution.weight", *stored).reshape(shape)
    values = [tensors.take(f"{norm}.{part}", channels) for part in ("weight", "bias", "running_mean", "running_var")]
    if any(value.is_meta for value in (weight, *values)):  # something is amiss, which `Tensors.check` says
        return weight, values[0]
    if transposed:
        weight = weight.transpose(0, 1)
    weight, shift = folded(weight, bias(f"{name}.convolution"), *values, eps=_NORM_EPS)
    return (weight.transpose(0, 1).contiguous() if transposed else weight), shift
