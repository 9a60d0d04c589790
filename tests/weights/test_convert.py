"""Foreign checkpoints as our models: real names and full-size shapes of every source, and the same numbers."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import foreign_states as theirs
import pytest
import torch
import torch.nn.functional as F
from foreign_states import SMALL, random, weightless

from wordsight.errors import ConfigError, ModelError
from wordsight.models import checkpoint
from wordsight.models.clip import CLIP_TOWERS, Clip
from wordsight.models.clip4str import CLIP4STR_PRESETS, Clip4Str
from wordsight.models.config import ImageTowerConfig
from wordsight.models.parseq import Parseq
from wordsight.text import Charset
from wordsight.weights.choices import Options
from wordsight.weights.convert import convert, convert_foreign
from wordsight.weights.foreign import Foreign

HALF = (0.5, 0.5, 0.5)


def converted(state, options=None, facts=None, packed="a PyTorch file", **more):
    return convert_foreign(Foreign(Path("x"), packed, state, facts or {}), options, **more)


@pytest.fixture
def make():
    return random(torch.Generator().manual_seed(1))


def count(model):
    return sum(p.numel() for p in model.parameters())


# ---- the full sizes


@pytest.mark.parametrize(
    ("towers", "preset", "millions"),
    # parameters as the authors count them, less logit_scale
    [
        ("ViT-B-16", "clip4str-b16", 158.26),
        ("ViT-B-32", "clip4str-b32", 159.9),
        ("ViT-L-14", "clip4str-l14", 446.9),
        ("ViT-H-14", "clip4str-h14-20heads", 1020),
    ],
)
def test_clip4str_as_released(towers, preset, millions):
    state = theirs.clip4str(theirs.CLIP_SIZES[towers], weightless)
    assert len(state) == {"ViT-B-16": 354, "ViT-B-32": 354, "ViT-L-14": 498, "ViT-H-14": 738}[towers]
    found = converted(state)
    assert isinstance(found.model, Clip4Str)
    assert found.model.cfg == CLIP4STR_PRESETS[preset]
    assert found.unused == ("clip_model.logit_scale",)
    assert not found.new
    assert count(found.model) / 1e6 == pytest.approx(millions, rel=0.002)
    assert count(found.model) == sum(t.numel() for t in state.values()) - 1


@pytest.mark.parametrize("name", theirs.CLIP_SIZES)
def test_openai(name):
    state = theirs.openai_clip(theirs.CLIP_SIZES[name], weightless) | theirs.openai_extras(224)
    found = converted(state)
    assert isinstance(found.model, Clip)
    assert found.model.cfg == CLIP_TOWERS[name]
    assert found.unused == ("context_length", "input_resolution", "vocab_size")
    assert found.source.startswith("CLIP by OpenAI")


@pytest.mark.parametrize("name", theirs.CLIP_SIZES)
def test_open_clip(name):
    state = theirs.openai_clip(theirs.CLIP_SIZES[name], weightless)
    state["attn_mask"] = weightless(77, 77)
    expected = CLIP_TOWERS[name]
    heads = 16 if name == "ViT-H-14" else expected.image.heads
    expected = replace(
        expected,
        image=replace(expected.image, activation="gelu", heads=heads),
        text=replace(expected.text, activation="gelu"),
    )
    found = converted(state)
    assert found.model.cfg == expected
    assert found.source.startswith("CLIP by open_clip")
    assert sum("activation gelu" in line and "--activation" in line for line in found.assumed) == 1
    as_dfn = converted(state, Options(activation="quickgelu", heads=20 if name == "ViT-H-14" else None))
    assert as_dfn.model.cfg == CLIP_TOWERS[name]


@pytest.mark.parametrize("name", theirs.CLIP_SIZES)
def test_hugging_face(name):
    state = theirs.hugging_face(theirs.openai_clip(theirs.CLIP_SIZES[name], weightless))
    assert len(state) == {12: 400, 24: 592, 32: 912}[CLIP_TOWERS[name].image.layers]
    found = converted(state)
    assert found.model.cfg == CLIP_TOWERS[name]
    assert found.unused == ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")


def vit(width, heads, size, patch, class_token=False):
    return ImageTowerConfig(
        *size,
        patch=patch,
        class_token=class_token,
        width=width,
        heads=heads,
        activation="gelu",
        norm_pre=False,
        norm_eps=1e-6,
    )


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize(
    ("width", "patch", "tokens", "size", "heads", "decoder_heads", "millions"),
    [
        (384, (4, 8), 128, (32, 128), 6, 12, 23.8),  # parseq
        (192, (4, 8), 128, (32, 128), 3, 6, 6.0),  # parseq_tiny
        (384, (16, 16), 196, (224, 224), 6, 12, 24.2),  # parseq_small_patch16_224
    ],
)
def test_parseq_as_released(width, patch, tokens, size, heads, decoder_heads, millions, prefix):
    found = converted(theirs.parseq(width, 12, patch, tokens, weightless, prefix))
    assert isinstance(found.model, Parseq)
    cfg = found.model.cfg
    assert cfg.image == vit(width, heads, size, patch)
    assert (cfg.decoder.heads, cfg.decoder.depth, cfg.embed_dim) == (decoder_heads, 1, width)
    assert (cfg.charset, cfg.max_length, cfg.mean, cfg.std) == (Charset.preset("94"), 25, HALF, HALF)
    assert (found.unused, found.new, found.about["cross"]) == ((), (), False)
    projection, bias = width * width, width  # ours has a projection that changes nothing; no bias of its patches
    assert (count(found.model) - projection + bias) / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("bias", [True, False])
def test_vision_transformers_of_timm(bias):
    """DeiT-B, and the ViT-B that MIIL trained on ImageNet-21K, whose packed projections have no bias."""
    state = theirs.timm_vit(768, 12, (16, 16), 196, weightless, bias=bias)
    state |= {"head.weight": weightless(1000, 768), "head.bias": weightless(1000)}
    found = converted(state)
    assert found.model.cfg.image == vit(768, 12, (224, 224), (16, 16), class_token=True)
    assert found.model.cfg.embed_dim == 512
    assert found.new == ("projection", "visual_decoder")
    assert found.unused == ("head.bias", "head.weight")
    again = converted(state).model.state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in found.model.state_dict().items())


# ---- the numbers


def reference_block(x, state, heads, activation, names, mask=None, eps=1e-5):
    """A pre-norm block on packed projections, by torch's own function."""
    width = x.shape[-1]
    norm1, packed, out, norm2, up, down = names
    weight, bias = state[f"{packed}weight"], state.get(f"{packed}bias")
    y = F.layer_norm(x, (width,), state[f"{norm1}.weight"], state[f"{norm1}.bias"], eps).transpose(0, 1)
    y = F.multi_head_attention_forward(
        y, y, y, width, heads, weight, bias, None, None, False, 0.0,
        state[f"{out}.weight"], state[f"{out}.bias"], need_weights=False, attn_mask=mask,
    )[0]  # fmt: skip
    x = x + y.transpose(0, 1)
    y = F.layer_norm(x, (width,), state[f"{norm2}.weight"], state[f"{norm2}.bias"], eps)
    y = activation(F.linear(y, state[f"{up}.weight"], state[f"{up}.bias"]))
    return x + F.linear(y, state[f"{down}.weight"], state[f"{down}.bias"])


def quickgelu(x):
    return x * torch.sigmoid(1.702 * x)


def openai_block(prefix):
    parts = ("ln_1", "attn.in_proj_", "attn.out_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    return [prefix + part for part in parts]


def reference_clip(state, images, tokens, heads, text_heads, activation):
    """Features of all tokens of both towers."""
    s = state
    x = F.conv2d(images, s["visual.conv1.weight"], stride=s["visual.conv1.weight"].shape[-1]).flatten(2).mT
    x = torch.cat([s["visual.class_embedding"].expand(len(x), 1, -1), x], 1) + s["visual.positional_embedding"]
    x = F.layer_norm(x, x.shape[-1:], s["visual.ln_pre.weight"], s["visual.ln_pre.bias"])
    for i in range(2):
        x = reference_block(x, s, heads, activation, openai_block(f"visual.transformer.resblocks.{i}."))
    x = F.layer_norm(x, x.shape[-1:], s["visual.ln_post.weight"], s["visual.ln_post.bias"]) @ s["visual.proj"]
    y = F.embedding(tokens, s["token_embedding.weight"]) + s["positional_embedding"][: tokens.shape[1]]
    mask = torch.full((tokens.shape[1],) * 2, -math.inf).triu(1)
    for i in range(2):
        y = reference_block(y, s, text_heads, activation, openai_block(f"transformer.resblocks.{i}."), mask)
    return x, F.layer_norm(y, y.shape[-1:], s["ln_final.weight"], s["ln_final.bias"]) @ s["text_projection"]


@pytest.fixture
def inputs(make):
    return make(3, 3, 32, 32) * 10, torch.randint(0, 49408, (3, 16), generator=torch.Generator().manual_seed(2))


def towers_of(model, images, tokens):
    with torch.inference_mode():
        return model.image_tower(images), model.text_tower(tokens)


@pytest.mark.parametrize(("activation", "function"), [("quickgelu", quickgelu), ("gelu", F.gelu)])
@pytest.mark.parametrize("heads", [2, 4])
def test_clip_computes_what_it_did(make, inputs, activation, function, heads):
    """Whatever library wrote it."""
    state = theirs.openai_clip(SMALL, make)
    options = Options(heads=heads, text_heads=heads, activation=activation)
    expected = reference_clip(state, *inputs, heads, heads, function)
    prefixed = {f"text.{k}" if not k.startswith(("visual.", "logit")) else k: v for k, v in state.items()}
    for form in (state, theirs.hugging_face(state), prefixed, {k: v.half() for k, v in state.items()}):
        model = converted(form, options).model
        tolerance = 3e-2 if form["logit_scale"].dtype == torch.float16 else 1e-5
        for found, want in zip(towers_of(model.float(), *inputs), expected, strict=True):
            torch.testing.assert_close(found, want, atol=tolerance, rtol=1e-4)
        assert model.logit_scale.item() == pytest.approx(state["logit_scale"].item(), rel=1e-3)


def test_clip4str_computes_what_it_did(make, inputs):
    state = theirs.clip4str(SMALL, make)
    state["visual_decoder.pos_queries"] = state["visual_decoder.pos_queries"] * 10
    model = converted(state, Options(decoder_heads=4)).model
    towers = {k.removeprefix("clip_model."): v for k, v in state.items() if k.startswith("clip_model.")}
    expected = reference_clip(towers, *inputs, 2, 1, quickgelu)
    for found, want in zip(towers_of(model, *inputs), expected, strict=True):
        torch.testing.assert_close(found, want, atol=1e-5, rtol=1e-4)
    for branch in ("visual_decoder.", "cross_decoder."):
        check_decoder(getattr(model, branch[:-1]), state, branch, branch, expected[0], heads=4)


def check_decoder(decoder, state, layers, rest, memory, heads):
    """All queries over a word of four characters, against torch's own attention."""
    part = {k.removeprefix(f"{layers}layers.0."): v for k, v in state.items() if k.startswith(f"{layers}layers.0.")}
    width = memory.shape[-1]

    def norm(name, x, of=part):
        return F.layer_norm(x, (width,), of[f"{name}.weight"], of[f"{name}.bias"])

    def attend(name, query, source, mask=None):
        attention = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        attention.load_state_dict({k.removeprefix(f"{name}."): v for k, v in part.items() if k.startswith(name)})
        return attention(query, source, source, attn_mask=mask, need_weights=False)[0]

    tokens = torch.tensor([[95, 11, 12, 40, 94]]).expand(len(memory), -1)
    positions = state[f"{rest}pos_queries"][:, :5]
    content = F.embedding(tokens, state[f"{rest}text_embed.embedding.weight"]) * math.sqrt(width)
    content = torch.cat([content[:, :1], content[:, 1:] + positions[:, :4]], 1)
    mask = torch.full((5, 5), -math.inf).triu(1)
    with torch.inference_mode():
        x = positions.expand(len(memory), -1, -1)
        x = x + attend("self_attn", norm("norm_q", x), norm("norm_c", content), mask)
        x = x + attend("cross_attn", norm("norm1", x), memory)
        y = F.gelu(F.linear(norm("norm2", x), part["linear1.weight"], part["linear1.bias"]))
        x = x + F.linear(y, part["linear2.weight"], part["linear2.bias"])
        want = F.linear(norm(f"{layers}norm", x, state), state[f"{rest}head.weight"], state[f"{rest}head.bias"])
        found = decoder(tokens, decoder.memory_kv(memory), mask[None])
    torch.testing.assert_close(found, want, atol=1e-5, rtol=1e-4)
    assert want.std() > 0.05


def reference_vit(state, images, heads):
    x = F.conv2d(images, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=8).flatten(2).mT
    if "cls_token" in state:
        x = torch.cat([state["cls_token"].expand(len(x), -1, -1), x], 1)
    x = x + state["pos_embed"]
    for i in range(2):
        names = [f"blocks.{i}.{part}" for part in ("norm1", "attn.qkv.", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")]
        x = reference_block(x, state, heads, F.gelu, names, eps=1e-6)
    return F.layer_norm(x, x.shape[-1:], state["norm.weight"], state["norm.bias"], 1e-6)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_vit_computes_what_it_did(make, inputs, class_token, bias):
    state = theirs.timm_vit(128, 2, (8, 8), 16, make, class_token=class_token, bias=bias)
    state["pos_embed"] = state["pos_embed"] / 20  # little variance, so that the norms' constant counts
    model = converted(state, Options(heads=4)).model
    with torch.inference_mode():
        found = model.image_tower.tokens(inputs[0])
    torch.testing.assert_close(found, reference_vit(state, inputs[0], 4), atol=1e-5, rtol=1e-4)


def test_parseq_computes_what_it_did(make, inputs):
    state = theirs.parseq(64, 2, (8, 8), 16, make)
    model = converted(state, Options(heads=2, decoder_heads=4)).model
    encoder = {k.removeprefix("encoder."): v for k, v in state.items() if k.startswith("encoder.")}
    expected = reference_vit(encoder, inputs[0], 2)
    with torch.inference_mode():
        torch.testing.assert_close(model.encode(inputs[0]), expected, atol=1e-5, rtol=1e-4)
    check_decoder(model.visual_decoder, state, "decoder.", "", expected, heads=4)


def test_a_parseq_of_two_decoder_layers(make):
    state = theirs.parseq(64, 1, (8, 8), 16, make) | theirs.decoder("decoder.", "", 64, make, depth=2)
    model = converted(state, Options(heads=2, decoder_heads=4)).model
    assert model.cfg.decoder.depth == 2
    layer = model.visual_decoder.layers[1]
    torch.testing.assert_close(layer.mlp[0].weight, state["decoder.layers.1.linear1.weight"])


@pytest.mark.data
def test_released_code_computed_the_same():
    """All of the reference file's weights have a place; features of its towers."""
    file = Path(__file__).parents[3] / "shared" / "parity" / "clip4str_small.pt"
    if not file.is_file():
        pytest.skip("no reference file")
    reference = torch.load(file, weights_only=True)
    found = converted(reference["state_dict"], facts={"hyper_parameters": reference["hparams"]})
    assert found.unused == ("clip_model.logit_scale",)
    assert count(found.model) == 3_939_199 - 1
    text = reference["text_case"]
    with torch.inference_mode():
        torch.testing.assert_close(found.model.encode(reference["images"]), reference["memory"], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.model.text_features(text["tokens"]), text["features"], atol=1e-5, rtol=1e-4)


# ---- what shapes do not tell


def test_a_training_checkpoint_says_more(make):
    characters = "".join(map(chr, range(0x430, 0x430 + 32))) + "".join(map(chr, range(0x61, 0x61 + 26)))
    state = theirs.clip4str((8, 128, 2, 64, 2, 32), make)
    for branch in ("visual_decoder.", "cross_decoder."):
        state |= theirs.decoder(branch, branch, 64, make, characters=len(characters), depth=2)
    said = {"charset_train": characters, "dec_num_heads": 4, "context_length": 20, "perm_num": 12, "dropout": 0.2}
    cfg = converted(state, facts={"hyper_parameters": said}).model.cfg
    assert (cfg.charset.characters, cfg.decoder.heads, cfg.decoder.depth) == (characters, 4, 2)
    assert (cfg.caption_context, cfg.num_permutations, cfg.decoder.dropout) == (20, 12, 0.2)
    with pytest.raises(ModelError, match="writes 58 characters and does not say which: list them with --charset"):
        converted(state)
    assert converted(state, Options(charset=Charset("mine", characters))).model.cfg.charset.name == "mine"
    with pytest.raises(ModelError, match="58 characters, the charset has 36"):
        converted(state, Options(charset=Charset.preset("36")))


def test_variants_of_clip4str(make):
    """Token embeddings only; one vector for an image and for a text; a visual decoder in the image tower's width."""
    state = theirs.clip4str(SMALL, make)
    cfg = converted(state, facts={"hyper_parameters": {"cross_token_embeding": True}}).model.cfg
    assert cfg.text.embedding_only
    model = converted(state, facts={"hyper_parameters": {"clip_cls_eot_feature": True}}).model
    assert model.cfg.pooled
    assert model.encode(torch.zeros(1, 3, model.cfg.image.height, model.cfg.image.width_px)).shape == (1, 1, 64)
    wide = state | theirs.decoder("visual_decoder.", "visual_decoder.", 128, make)
    model = converted(wide).model
    assert not model.cfg.share_dim
    assert model.visual_decoder.head.in_features == 128
    odd = state | theirs.decoder("visual_decoder.", "visual_decoder.", 96, make)
    with pytest.raises(ModelError, match="visual decoder is 96 wide, neither 64 nor 128"):
        converted(odd)


def test_configuration_files_of_folders(make):
    state = theirs.openai_clip(SMALL, make)
    said = {
        "model_cfg": {
            "embed_dim": 64,
            "quick_gelu": True,
            "vision_cfg": {"width": 128, "head_width": 32, "layers": 2},
            "text_cfg": {"heads": 2, "width": 64},
        },
        "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.1, 0.2, 0.3]},
    }
    found = converted(state, facts={"open_clip_config.json": said})
    cfg = found.model.cfg
    assert (cfg.image.heads, cfg.text.heads, cfg.image.activation) == (4, 2, "quickgelu")
    assert (found.model.cfg.mean, found.model.cfg.std) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
    assert not found.assumed
    said = {
        "vision_config": {"num_attention_heads": 4, "hidden_act": "gelu"},
        "text_config": {"num_attention_heads": 2, "hidden_act": "gelu"},
    }
    pixels = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.1, 0.2, 0.3]}
    facts = {"config.json": said, "preprocessor_config.json": pixels}
    found = converted(theirs.hugging_face(state), facts=facts)
    cfg = found.model.cfg
    assert (cfg.image.heads, cfg.text.heads, cfg.image.activation) == (4, 2, "gelu")
    assert not found.assumed
    given = converted(theirs.hugging_face(state), Options(heads=8, mean=HALF), facts)
    assert given.model.cfg.image.heads == 8
    assert (given.model.cfg.mean, given.model.cfg.std) == (HALF, (0.1, 0.2, 0.3))
    for damage in (
        {"vision_config": {"layer_norm_eps": 1e-6}},
        {"vision_config": {"hidden_act": "relu"}},
        {"vision_config": 3},
    ):
        with pytest.raises(ModelError, match=r"^x: "):
            converted(theirs.hugging_face(state), facts={"config.json": damage})
    damage = {"model_cfg": {"vision_cfg": {"head_width": 0}}}
    with pytest.raises(ModelError, match="its metadata is malformed"):
        converted(state, facts={"open_clip_config.json": damage})


def test_options_are_checked(make):
    state = theirs.openai_clip(SMALL, make)
    with pytest.raises(ConfigError, match="--heads 3 does not divide the width 128"):
        converted(state, Options(heads=3))
    with pytest.raises(ConfigError, match="choose one of gelu, quickgelu"):
        Options(activation="tanh")
    wide = theirs.parseq(64, 2, (4, 8), 30, make)
    with pytest.raises(ModelError, match="30 patches of 4x8: give the input's height and width with --size"):
        converted(wide)
    assert converted(wide, Options(size=(12, 80))).model.cfg.image.grid == (3, 10)
    with pytest.raises(ModelError, match="check --size"):
        converted(wide, Options(size=(12, 88)))
    for wrong in ({"std": (0.0, 1.0, 1.0)}, {"std": (-1.0, 1.0, 1.0)}, {"mean": (math.nan, 0.0, 0.0)}):
        with pytest.raises(ConfigError, match="--std, by which inputs are divided, is above 0"):
            Options(**wrong)


@pytest.mark.parametrize("make_state", [theirs.openai_clip, theirs.clip4str])
def test_towers_for_inputs_that_are_no_square(make, make_state):
    """As somebody may have fine-tuned CLIP; nothing tells the sides of 2 x 8 patches from those of 4 x 4."""
    state = make_state(SMALL, make)
    assert converted(state, Options(size=(16, 64))).model.cfg.image.grid == (2, 8)
    for size in ((16, 32), (33, 32), (0, 0)):
        with pytest.raises(ModelError, match=r"16 patches.*check --size"):
            converted(state, Options(size=size))
    name = next(name for name in state if name.endswith("visual.positional_embedding"))
    state[name] = make(19, 128)
    with pytest.raises(ModelError, match="18 patches, which are not a square: give the input's size with --size"):
        converted(state)
    assert converted(state, Options(size=(24, 48))).model.cfg.image.grid == (3, 6)


def test_an_option_that_changes_nothing_is_refused(make):
    towers = theirs.openai_clip(SMALL, make)
    with pytest.raises(ConfigError, match="x is CLIP by open_clip, to which --decoder-heads, --charset does not apply"):
        converted(towers, Options(decoder_heads=2, charset=Charset.preset("36"), heads=2))
    with pytest.raises(ConfigError, match="--text-heads does not apply"):
        converted(theirs.parseq(64, 2, (4, 8), 128, make), Options(text_heads=2))


# ---- what is refused


def test_missing_tensors_are_named(make):
    state = theirs.clip4str(SMALL, make)
    for name in ("clip_model.visual.ln_post.bias", "cross_decoder.layers.0.norm_q.weight"):
        del state[name]
    with pytest.raises(
        ModelError, match=r"2 tensors missing \(clip_model\.visual\.ln_post\.bias, cross_decoder"
    ) as error:
        converted(state)
    assert "\n" not in str(error.value)
    del state["visual_decoder.head.weight"]
    with pytest.raises(ModelError, match=r"no tensor 'visual_decoder\.head\.weight'"):
        converted(state)


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64])
def test_numbers_that_are_no_weights_are_refused(make, dtype):
    """Quantised checkpoints keep integers and scales under the same names."""
    for state, name in (
        (theirs.clip4str(SMALL, make), "cross_decoder.head.weight"),
        (theirs.timm_vit(64, 2, (16, 16), 4, make), "patch_embed.proj.bias"),
        (theirs.timm_vit(64, 2, (16, 16), 4, make), "pos_embed"),
    ):
        state[name] = state[name].to(dtype)
        said = f"1 tensor without floating-point numbers ({name} is {str(dtype)[6:]})"
        with pytest.raises(ModelError, match=re.escape(said)):
            converted(state)


def test_wrong_shapes_are_named(make):
    state = theirs.openai_clip(SMALL, make)
    state["visual.transformer.resblocks.1.mlp.c_fc.weight"] = make(500, 128)
    state["ln_final.bias"] = make(65)
    with pytest.raises(ModelError, match=r"2 tensors of the wrong shape \(.*c_fc\.weight is 500x128, not 512x128.*\)"):
        converted(state)
    state["visual.positional_embedding"] = make(16, 128)
    with pytest.raises(ModelError, match="15 patches, which are not a square"):
        converted(state)
    state["visual.positional_embedding"] = make(17)
    with pytest.raises(ModelError, match="not a tensor of 2 dimensions"):
        converted(state)


def test_what_has_no_place_is_refused_unless_allowed(make):
    state = theirs.clip4str(SMALL, make) | {"clip_adapter.fc.0.weight": make(3, 3)}
    with pytest.raises(ModelError, match=r"no place in it \(clip_adapter\.fc\.0\.weight\).*--allow-unused"):
        converted(state)
    assert "clip_adapter.fc.0.weight" in converted(state, allow_unused=True).unused


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["visual.conv1.weight", "visual.layer1.0.conv1.weight"], "a CLIP with a ResNet"),
        (["visual.trunk.patch_embed.proj.weight"], "image tower of timm's"),
        (["image_tower.stem.weight"], "of wordsight already"),
        (["model.image_tower.stem.weight"], "training checkpoint of wordsight already"),
        (["features.0.weight", "classifier.weight"], "an unknown model.*features.0.weight.*known are CLIP by Hugging"),
    ],
)
def test_other_models(names, message):
    with pytest.raises(ModelError, match=message):
        converted({name: torch.zeros(2, 2) for name in names})


def test_other_vocabularies(make):
    with pytest.raises(ModelError, match="has 32000 tokens, CLIP's byte-pair encoding 49408"):
        converted(theirs.clip4str(SMALL, make, vocab_size=32000))


# ---- files


@pytest.mark.filterwarnings("ignore")
def test_openai_archive_to_checkpoint_folder(make, tmp_path):
    """A TorchScript archive in half precision, as OpenAI's; its name says nothing."""
    from test_foreign import module_of

    state = {k: v.half() for k, v in theirs.openai_clip(SMALL, make).items()} | theirs.openai_extras(32)
    torch.jit.script(module_of(state)).save(tmp_path / "parseq_large_resnet50.ckpt")
    found = convert(tmp_path / "parseq_large_resnet50.ckpt")
    assert found.source == "CLIP by OpenAI (a TorchScript archive, 65 tensors)"
    assert found.model.cfg.image.activation == "quickgelu"
    folder = found.save(tmp_path / "clip")
    model, about = checkpoint.load(folder)
    assert isinstance(model, Clip)
    assert model.cfg == found.model.cfg
    assert about["converted"]["from"] == "CLIP by OpenAI"
    assert model.cfg.mean == pytest.approx([0.48145466, 0.4578275, 0.40821073])
    assert torch.equal(model.logit_scale, state["logit_scale"].float())
    weights = (folder / "model.safetensors").stat().st_size
    assert weights < 1.01 * sum(t.numel() * 2 for t in state.values()) + 20_000  # half precision stays


def test_round_trip_of_recognizers(make, tmp_path):
    for state, architecture in (
        (theirs.clip4str(SMALL, make), Clip4Str),
        (theirs.parseq(64, 2, (8, 8), 16, make), Parseq),
    ):
        torch.save({"state_dict": state}, tmp_path / "last.ckpt")
        found = convert(tmp_path / "last.ckpt")
        model, about = checkpoint.load(found.save(tmp_path / architecture.__name__))
        assert isinstance(model, architecture)
        assert model.cfg == found.model.cfg
        assert about["converted"]["assumed"] == list(found.assumed)
        for name, tensor in found.model.state_dict().items():
            assert torch.equal(model.state_dict()[name], tensor), name
        assert json.loads((tmp_path / architecture.__name__ / "config.json").read_text())["about"] == about
