import dataclasses
import math
import re

import numpy as np
import pytest
import torch
from small_models import small_config

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip, ClipConfig
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clip4str import config as presets
from wordsight.models.config import DecoderConfig, ImageTowerConfig, TextTowerConfig
from wordsight.models.parseq import Parseq, ParseqConfig
from wordsight_research.ablations.build import Scale, build, enlarged, frozen_layers
from wordsight_research.ablations.plain import LONGEST, PlainWords
from wordsight_research.ablations.rows import TABLES, Row
from wordsight_research.ablations.shapes import operations
from wordsight_research.ablations.table import mean_and_spread


@pytest.fixture
def scale(monkeypatch, tmp_path):
    """A small preset, CLIP towers with 4 layers each, and a vision transformer."""
    small = small_config(num_permutations=4)
    monkeypatch.setitem(presets.CLIP4STR_PRESETS, "small", small)
    torch.manual_seed(0)
    image = ImageTowerConfig(32, 32, patch=(8, 8), width=32, layers=4, heads=2)
    text = TextTowerConfig(49408, context=20, width=24, layers=4, heads=2)
    checkpoint.save(Clip(ClipConfig(image, text, 24, mean=(0.4, 0.5, 0.6))), tmp_path / "clip")
    cfg = ParseqConfig(
        image=dataclasses.replace(image, norm_pre=False),
        decoder=DecoderConfig(heads=4),
        embed_dim=32,
        charset=small.charset,
    )
    checkpoint.save(Parseq(cfg), tmp_path / "vit")
    return Scale("small", clip=tmp_path / "clip", imagenet_1k=tmp_path / "vit")


def rows(table):
    return {row.name: row for row in TABLES[table]}


def test_what_is_compared_is_a_row_of_the_table():
    for table in TABLES.values():
        names = [row.name for row in table]
        assert len(set(names)) == len(names)
        assert {row.against for row in table} <= {*names, "previous"}


def test_rows_say_which_weights_they_need(scale):
    bare = Scale("small")
    assert [bare.missing(row) for row in TABLES["components"]] == [
        None,
        None,
        "needs CLIP weights: --clip DIR",
        None,
        None,
        None,
    ]
    assert bare.missing(rows("pretraining")["imagenet-21k"]) == "needs ImageNet-21K weights: --imagenet-21k DIR"
    assert scale.missing(rows("components")["+ CLIP encoder"]) is None
    assert scale.missing(rows("components")["+ large"]) == "needs large CLIP weights: --clip-large DIR"


def test_the_baseline_is_a_small_patch_transformer_trained_from_left_to_right():
    model = build(rows("components")["baseline"], Scale())
    assert model.cfg.num_permutations == 1
    assert model.cfg.image.grid == (4, 16)
    assert model.encode(torch.zeros(1, 3, 32, 128)).shape == (1, 64, 96)
    assert build(rows("components")["+ PSM"], Scale()).cfg.num_permutations == 4


def test_the_compact_model_is_small_and_writes_what_plain_words_need():
    cfg = Scale().config()
    assert not cfg.charset.unknown("".join(PlainWords(50).text(i) for i in range(50)))
    assert cfg.max_length >= LONGEST
    model = Clip4Str(cfg)
    assert sum(p.numel() for p in model.parameters()) < 1.5e6
    assert model.encode(torch.zeros(1, 3, 32, 128)).shape == (1, 32, 96)


def test_plain_words_are_a_function_of_their_number():
    first, again = PlainWords(20, seed=3), PlainWords(20, seed=3)
    assert (first[7].image == again[7].image).all()
    assert first[7].text == again.text(7) == first.text(7)
    assert 2 <= len(first[7].text) <= LONGEST
    assert [first.text(i) for i in range(20)] != [PlainWords(20, seed=4).text(i) for i in range(20)]


def test_the_large_model_is_wider_and_deeper():
    cfg = presets.CLIP4STR_PRESETS["clip4str-tiny"]
    large = enlarged(cfg)
    assert (large.image.width, large.image.layers, large.text.layers) == (256, 6, 4)
    assert large.image.width / large.image.heads == cfg.image.width / cfg.image.heads
    memory = Clip4Str(large).encode(torch.zeros(1, 3, 32, 128))
    assert memory.shape == (1, 32, 256)


def test_shapes_have_the_tokens_in_their_names_and_the_presets_is_the_first():
    said = {name: re.search(r", (\d+) x (\d+)", name) for name in rows("shapes")}
    grids = {name: (int(found[1]), int(found[2])) for name, found in said.items() if found}
    assert len(grids) == len(said) - 2  # all but the wider and the narrower one
    for name, grid in grids.items():
        assert build(rows("shapes")[name], Scale()).cfg.image.grid == grid, name
    assert build(rows("shapes")["stem, 1 x 32"], Scale()).cfg == Scale().config()
    wide, deep = (build(rows("shapes")[n], Scale()).cfg for n in ("wider, half as deep", "narrower, twice as deep"))
    assert (wide.image.width, wide.image.layers) == (128, 1)
    assert (deep.image.width, deep.image.layers) == (64, 4)
    assert wide.embed_dim == deep.embed_dim == 96


def test_a_tower_with_more_tokens_costs_more_operations():
    torch.manual_seed(0)
    costs = [operations(build(rows("shapes")[f"stem, {grid}"], Scale())) for grid in ("1 x 32", "2 x 32", "8 x 16")]
    assert costs == sorted(costs)
    assert 50e6 < costs[0] < 200e6
    assert costs[2] > 2 * costs[0]


def test_towers_come_from_clip_and_decoders_do_not(scale):
    clip = checkpoint.load(scale.clip)[0].state_dict()
    torch.manual_seed(1)
    model = build(rows("components")["+ CLIP encoder"], scale)
    state = model.state_dict()
    for name, tensor in clip.items():
        if name != "logit_scale":
            assert torch.equal(state[name], tensor), name
    assert (model.cfg.captions, model.cfg.mean) == ("clip", (0.4, 0.5, 0.6))
    assert model.cfg.charset == small_config().charset
    torch.manual_seed(2)
    other = build(rows("components")["+ CLIP encoder"], scale).state_dict()
    assert not torch.equal(other["visual_decoder.head.weight"], state["visual_decoder.head.weight"])


def test_towers_of_a_trained_recognizer_will_do(scale, tmp_path):
    trained = Clip4Str(small_config(num_permutations=2))
    checkpoint.save(trained, tmp_path / "trained")
    model = build(rows("peft")["full"], dataclasses.replace(scale, clip=tmp_path / "trained"))
    assert model.cfg == trained.cfg
    assert torch.equal(model.image_tower.projection, trained.image_tower.projection)
    assert not torch.equal(model.visual_decoder.head.weight, trained.visual_decoder.head.weight)


def test_a_vision_transformer_gives_its_tower(scale):
    model = build(rows("pretraining")["imagenet-1k"], scale)
    vit = checkpoint.load(scale.imagenet_1k)[0]
    assert torch.equal(model.image_tower.blocks[3].mlp[0].weight, vit.image_tower.blocks[3].mlp[0].weight)
    assert model.image_tower.projection.shape == (32, 24)


def test_frozen_layers_are_in_proportion():
    assert [frozen_layers(k, 12) for k in (0, 3, 6, 9, 12)] == [0, 3, 6, 9, 12]
    assert [frozen_layers(k, 24) for k in (0, 3, 12)] == [0, 6, 24]
    assert [frozen_layers(k, 4) for k in (3, 6, 9)] == [1, 2, 3]
    assert frozen_layers("token", 4) == 4
    assert frozen_layers(None, 12) is None


def test_freezing_leaves_fewer_parameters_to_train(scale):
    def trained(name):
        return sum(p.numel() for p in build(rows("freezing")[name], scale).parameters() if p.requires_grad)

    image = [trained(f"image {k}") for k in (0, 3, 6, 9, 12)]
    text = [trained(f"text {k}") for k in (0, 3, 6, 9, 12)]
    assert image == sorted(image, reverse=True)
    assert text == sorted(text, reverse=True)
    assert len(set(image)) == len(set(text)) == 5
    assert trained("text token") == trained("text 12")
    assert build(rows("freezing")["text token"], scale).cfg.text.embedding_only


def test_new_weights_stand_in_for_frozen_towers(scale):
    def trained(name):
        model = build(rows("peft")[name], scale)
        return sum(p.numel() for n, p in model.named_parameters() if p.requires_grad and n.startswith("image_tower"))

    assert trained("frozen") == 0
    assert trained("CLIP-Adapter") == 2 * 24 * 12
    assert 0 < trained("LST r=4") < trained("LST r=2") < trained("full")
    assert 0 < trained("LoRA") < trained("full")


def test_another_kind_of_model_is_refused(monkeypatch, scale):
    class Other:
        architecture = "other"
        cfg = None

    monkeypatch.setattr(checkpoint, "load", lambda folder: (Other(), {}))
    with pytest.raises(ConfigError, match="holds a other"):
        build(Row("x", weights="clip"), scale)


def test_mean_and_spread() -> None:
    one, other = [True, True, False, False], [True] * 4
    assert mean_and_spread(np.array([one])) == (0.5, None)
    mean, spread = mean_and_spread(np.array([one, other]))
    assert mean == 0.75
    assert spread == pytest.approx(math.sqrt(0.125))
