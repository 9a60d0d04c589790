"""Fusions and gates by themselves."""

import json
import logging
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from some_scenes import FUSIONS, WIDTH, open_gates, scenes
from torch import nn

from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.models.clipter import ClipterConfig, SceneContext
from wordsight.models.clipter.model import Fusion, Gate
from wordsight.models.registry import PRESETS

by_every_fusion = pytest.mark.parametrize("kind", FUSIONS)


@pytest.mark.parametrize("stepwise", [False, True])
@by_every_fusion
def test_gradients_reach_every_tensor_of_every_fusion(kind, stepwise):
    torch.manual_seed(0)
    fusion = Fusion(24, ClipterConfig(scene_dim=WIDTH, **FUSIONS[kind]), stepwise)
    optimizer, features = torch.optim.Adam(fusion.parameters(), 1e-2), torch.randn(4, 3, 24)
    for _ in range(2):
        optimizer.zero_grad()
        fusion(features, scenes(kind)).square().sum().backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.abs().max() > 1e-9 for p in fusion.parameters())


@pytest.mark.parametrize(
    ("kind", "tokens", "depends"),
    [
        ("mini", 1, False),
        ("base", 1, False),
        ("mini", 5, True),
        ("base", 5, True),
        ("mini, word and scene", 1, True),
        ("gated, one token", 1, True),
        ("gated", 1, True),
        ("gated", 5, True),
    ],
)
def test_whether_positions_of_a_word_take_different_things_from_the_scene(kind, tokens, depends):
    """One token: a softmax over one key is 1, so MH-CA gives all positions the same; gated attention does not."""
    torch.manual_seed(0)
    fusion = Fusion(48, ClipterConfig(scene_dim=WIDTH, **FUSIONS[kind]))
    word, context = (
        torch.randn(2, 7, 48),
        SceneContext(torch.randn(1, tokens, WIDTH), torch.zeros(2).long(), torch.ones(2)),
    )
    word = fusion.norm_word(word)
    taken = fusion.mixer(word, word, fusion._scene(context), context.index)
    spread = taken.std(dim=1).max()
    assert (spread > 1e-2) if depends else (spread < 1e-6)


def test_blindness_to_positions_is_said_once(caplog):
    fusion = Fusion(48, ClipterConfig(scene_dim=WIDTH, fusion="mh-ca-mini"))
    features = torch.randn(2, 7, 48)
    context = SceneContext(torch.randn(1, 1, WIDTH), torch.zeros(2).long(), torch.zeros(2))
    with caplog.at_level(logging.WARNING):
        fusion(features, context)
        assert not caplog.records  # the null scene is nobody's choice
        for _ in range(2):
            fusion(features, SceneContext(context.tokens, context.index, torch.ones(2)))
    assert [record.message[:31] for record in caplog.records] == ["MH-CA with one scene token give"]
    assert "softmax over one key" in caplog.text


@pytest.mark.parametrize("kind", ["gated", "mini", "mini, word and scene", "base, word and scene"])
def test_late_positions_do_not_see_each_other(kind):
    """A position may know a character that another has yet to predict."""
    torch.manual_seed(0)
    fusion = Fusion(48, ClipterConfig(place="late", scene_dim=WIDTH, **FUSIONS[kind]), stepwise=True).eval()
    open_gates(fusion, 0.7)
    features, context = torch.randn(4, 7, 48), scenes(kind)
    whole = fusion(features, context)
    for i in range(7):
        torch.testing.assert_close(fusion(features[:, i : i + 1], context), whole[:, i : i + 1])


@pytest.mark.parametrize("width", [24, 36, 96, 100, 192, 256])
@pytest.mark.parametrize("kind", ["mh-ca-mini", "mh-ca-base"])
def test_heads_divide_every_width(width, kind):
    fusion = Fusion(width, ClipterConfig(scene_dim=WIDTH, kernel=2, fusion=kind))
    assert fusion.mixer.q.out_features % fusion.mixer.heads == 0
    if width in (96, 192, 256):
        assert fusion.mixer.heads == (4 if kind == "mh-ca-mini" else 8)
    assert fusion(torch.randn(4, 3, width), scenes()).shape == (4, 3, width)


PAGE = Path(__file__).parents[2] / "docs" / "clipter.md"


def test_the_example_in_the_documentation_runs(tmp_path):
    cls, cfg = PRESETS["parseq-compact"]
    recognizer = cls(cfg).eval()
    checkpoint.save(recognizer, tmp_path / "parseq")
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for given, ours in (("runs/parseq/model", str(tmp_path / "parseq")), ("weights/clip-b16-openai", "constant:768")):
        assert given in example
        example = example.replace(given, ours)
    crops = torch.randn(3, 3, cfg.image.height, cfg.image.width_px)
    names = {"torch": torch, "photo": np.zeros((50, 80, 3), np.uint8), "crops": crops}
    exec(example, names)
    alone = recognizer.encode(crops)
    torch.testing.assert_close(names["memory"], alone)  # gates are closed
    open_gates(names["recognizer"], 0.5)
    changed = (names["recognizer"].encode(crops, names["context"]) - alone).abs().amax((1, 2))
    assert (changed > 1e-3).tolist() == [True, True, False]


def test_the_documentation_counts_parameters_right():
    page = PAGE.read_text(encoding="utf-8")
    for title, changes in {
        "gated attention, k infinite": {},
        "gated attention, finite k": {"kernel": 2},
        "MH-CA mini": {"fusion": "mh-ca-mini"},
        "MH-CA base": {"fusion": "mh-ca-base"},
        "gated attention, k infinite, box": {"box": True},
    }.items():
        fusions = [Fusion(width, ClipterConfig(scene_dim=768, **changes)) for width in (192, 384, 512)]
        counts = (f"{sum(p.numel() for p in fusion.parameters()):,}" for fusion in fusions)
        assert f"| {title} | {' | '.join(counts)} |" in page


def test_the_convex_gate_with_a_residual_inside_would_be_the_additive_one():
    features, attended, there = torch.randn(2, 3, 8), torch.randn(2, 3, 8), torch.ones(2)
    convex, additive = Gate("convex"), Gate("additive")
    for gate in (convex, additive):
        nn.init.constant_(gate.alpha, 0.6)
    torch.testing.assert_close(convex(features, features + attended, there), additive(features, attended, there))
    g = torch.tensor(0.6).tanh()
    torch.testing.assert_close(convex(features, attended, there), (1 - g) * features + g * attended)


def test_a_clamped_gate_opens_again():
    gate = Gate(clamp=True)
    nn.init.constant_(gate.alpha, -0.5)
    assert gate.value == 0
    gate(torch.zeros(1, 1, 1), torch.ones(1, 1, 1), torch.ones(1)).sum().backward()
    assert gate.alpha.grad > 0


def test_what_contradicts_itself_is_one_line():
    for changes in (
        {"place": "middle"},
        {"fusion": "sum"},
        {"kernel": 0},
        {"scene_dim": 0},
        {"place": "late", "early_block": 1},
        {"early_block": -1},
        {"fusion": "gated", "keys": "word+scene"},
    ):
        with pytest.raises(ConfigError):
            ClipterConfig(**changes)
    with pytest.raises(ConfigError, match="surprise"):
        ClipterConfig.from_dict({"surprise": 1})
    cfg = ClipterConfig(kernel=7, box=True, place="late")
    assert ClipterConfig.from_dict(json.loads(json.dumps(cfg.to_dict()))) == cfg


def test_tokens_that_do_not_fit_are_one_line():
    fusion = Fusion(24, ClipterConfig(scene_dim=WIDTH + 1, kernel=2))
    with pytest.raises(ConfigError, match="20 wide, this fusion takes 21"):
        fusion(torch.randn(4, 3, 24), scenes())
    fusion = Fusion(24, ClipterConfig(scene_dim=WIDTH, kernel=2, box=True))
    context = scenes()
    with pytest.raises(ConfigError, match="boxes"):
        fusion(torch.randn(4, 3, 24), SceneContext(context.tokens, context.index, context.present))


@pytest.mark.slow
@by_every_fusion
@pytest.mark.parametrize("stepwise", [False, True])
def test_every_fusion_is_the_same_in_onnx(kind, stepwise):
    """With any number of words, positions, scenes and scene tokens."""
    torch.manual_seed(0)
    fusion = Fusion(24, ClipterConfig(scene_dim=WIDTH, **FUSIONS[kind]), stepwise).eval()
    open_gates(fusion, 0.7)

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.fusion = fusion

        def forward(self, features, *scene):
            return self.fusion(features, SceneContext(*scene))

    several = scenes(kind, present=(1, 0, 1, 1))
    tokens = 1 if FUSIONS[kind]["kernel"] is None else "tokens"
    shapes = [("batch", "length", 24), ("scenes", tokens, WIDTH), ("batch",), ("batch",), ("batch", 4)]
    names = ["features", "scene", "scene_index", "has_scene", "scene_box"]
    sizes = {name: torch.export.Dim(name, min=1) for name in ("batch", "length", "scenes", "tokens")}
    dynamic = tuple({i: sizes[d] for i, d in enumerate(shape) if isinstance(d, str)} for shape in shapes)
    inputs = (torch.randn(4, 3, 24), several.tokens, several.index, several.present, several.boxes)
    options = {"dynamic_shapes": (dynamic[0], dynamic[1:]), "input_names": names, "opset_version": 20}
    program = torch.onnx.export(Flat().eval(), inputs, dynamo=True, **options)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    one = (torch.randn(1, 1, 24), several.tokens[:1, :1], torch.tensor([0]), torch.ones(1), several.boxes[:1])
    given = {i.name for i in session.get_inputs()}
    for case in (inputs, one):
        feed = {name: x.numpy() for name, x in zip(names, case, strict=True) if name in given}
        expected = Flat()(*case).detach().numpy()
        np.testing.assert_allclose(session.run(None, feed)[0], expected, atol=1e-5)
