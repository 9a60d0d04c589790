from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from drawn_words import drawn
from onnx_twin import SCENE_DIM, differences, scenes
from torch.utils import _device

from wordsight.errors import ConfigError
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.layers.resnet import ResNet29
from wordsight.models.trba import TRBA_PRESETS, Trba, TrbaConfig
from wordsight.models.trba.model import Rectifier, spline
from wordsight.text import Charset

SMALL = TrbaConfig(
    charset=Charset("letters", "abcdefgh"),
    max_length=6,
    width_px=64,
    points=0,
    stem=((16, 2, 2), (32, 2, 1), (32, 2, 2), (32, 2, 1), (32, 2, 1)),
    hidden=32,
)
PAPER = replace(SMALL, points=6, locator=(8, 8, 8, 16), width=32, blocks=(1, 1, 1, 1), stem=())


def small(cfg: TrbaConfig = SMALL, place: str | None = None) -> Trba:
    """Told of scenes at `place`, the gate half open; points are pulled about."""
    torch.manual_seed(0)
    model = Trba(cfg)
    if cfg.points:
        torch.nn.init.normal_(model.image_encoder[0].offsets[2].weight, std=0.2)
    if place:
        insert(model, ClipterConfig(place=place, kernel=2, scene_dim=SCENE_DIM, fusion="mh-ca-mini", box=True))
        torch.nn.init.constant_(model.fusions[place].gate.alpha, 0.5)
    return model.eval()


def read(model: Trba, images: torch.Tensor) -> list[str]:
    """Greedily, always as many steps as there can be."""
    with torch.no_grad():
        memory, state = model.start(images)
        tokens = torch.full((len(images),), model.tokenizer.bos)
        written = []
        for _ in range(model.cfg.max_length + 1):
            logits, state = model.step(tokens, state, memory)
            tokens = logits.argmax(-1)
            written.append(tokens)
    return [model.tokenizer.decode(row) for row in torch.stack(written, 1).tolist()]


def test_size_of_the_paper():
    # 49.6 M in PARSeq's comparison (arXiv 2207.06966, table 6), for the same charset and input
    assert sum(p.numel() for p in Trba(TRBA_PRESETS["trba"]).parameters()) == pytest.approx(49.6e6, rel=0.002)


def test_learns_four_words():
    torch.manual_seed(0)
    model = Trba(SMALL)
    words = ["bad", "a", "cabbag", ""]
    images, targets = drawn(words, SMALL.preprocessing), torch.from_numpy(model.tokenizer.encode(words))
    optimizer = torch.optim.AdamW(model.param_groups(0.004, 1.0, 0.0))
    for _ in range(120):
        loss = model.loss(images, targets, torch.Generator()).total
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        if loss < 0.05:
            break
    assert read(model.eval(), images) == words


def test_loss_is_that_of_single_steps():
    model = small()
    images = torch.randn(2, 3, 32, 64)
    targets = torch.from_numpy(model.tokenizer.encode(["abc", "h"]))
    total, count = torch.zeros(()), 0
    for image, row in zip(images, targets, strict=True):
        memory, state = model.start(image[None])
        for before, goal in pairwise(row):
            if goal == model.tokenizer.pad:
                break
            logits, state = model.step(before[None], state, memory)
            total, count = total - logits.log_softmax(-1)[0, goal], count + 1
    losses = model.loss(images, targets, torch.Generator())
    torch.testing.assert_close(losses.total, total / count)
    # a batch of a step whose parts have 3 characters in their labels on average
    torch.testing.assert_close(model.loss(images, targets, torch.Generator(), characters=3.0).total, total / 5)


def test_everything_learns():
    model = small(PAPER)
    targets = torch.from_numpy(model.tokenizer.encode(["abc", "h"]))
    model.loss(torch.randn(2, 3, 32, 64), targets, torch.Generator()).total.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_groups_hold_every_parameter_once():
    model = small(PAPER, "late")
    groups = model.param_groups(1e-3, 2.0, 0.1)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


def test_a_late_scene_is_heard_at_every_step():
    model = small(place="late")
    heard = []
    model.fusions["late"].register_forward_hook(lambda *_: heard.append(1))
    context = SceneContext(*scenes(2, torch.Generator().manual_seed(0)))
    targets = torch.from_numpy(model.tokenizer.encode(["abc", "h"]))
    model.loss(torch.randn(2, 3, 32, 64), targets, torch.Generator(), context=context)
    assert len(heard) == 4


@pytest.mark.slow
@pytest.mark.parametrize("place", ["early", "late"])
def test_image_as_onnx(place):
    generator = torch.Generator().manual_seed(0)

    def images(crops):
        return (torch.randn(crops, 3, 32, 64, generator=generator),)

    assert max(differences(small(PAPER, place).graphs()["image"], images, told=place == "early")) < 1e-4


@pytest.mark.parametrize("place", ["late", pytest.param("early", marks=pytest.mark.slow)])
def test_step_as_onnx(place):
    model = small(place=place)
    hidden, letters = model.cfg.hidden, model.tokenizer.num_classes
    generator = torch.Generator().manual_seed(0)

    def steps(crops):
        state = torch.randn(crops, 2, hidden, generator=generator)
        memory = torch.randn(crops, 2, 17, hidden, generator=generator)
        return torch.arange(crops) % letters, state, memory

    assert max(differences(model.graphs()["step"], steps, told=place == "late")) < 1e-4


def test_columns_of_the_paper():
    columns = ResNet29(32, (1, 1, 1, 1))
    assert columns(torch.zeros(2, 3, 32, 100)).shape == (2, 32, 1, 26)
    assert columns(torch.zeros(2, 3, 32, 128)).shape == (2, 32, 1, 33)


def test_a_stem_must_leave_one_row():
    with pytest.raises(ConfigError, match="4 rows"):
        replace(SMALL, stem=((16, 2, 2), (32, 4, 2)))


def test_rectification_starts_as_the_identity():
    images = torch.rand(2, 3, 8, 20)
    straight = Rectifier((8, 20), 6, (8, 8, 8, 8))(images)
    torch.testing.assert_close(straight, images, rtol=0, atol=1e-5)


def test_spline_follows_its_points():
    rows, columns, points = 9, 21, 8
    pixels, spread = (x.double() for x in spline((rows, columns), points))
    assert pixels[0].tolist() == pytest.approx([1 / columns - 1, 1 / rows - 1])
    along = torch.linspace(-1, 1, points // 2, dtype=torch.float64)
    edges = torch.cat([torch.stack([along, torch.full_like(along, y)], 1) for y in (-1.0, 1.0)])
    turn = torch.tensor([[0.8, 0.3], [-0.2, 1.1]], dtype=torch.float64)  # a plane needs no bending
    torch.testing.assert_close(spread @ (edges @ turn + 0.1), pixels @ turn + 0.1, rtol=0, atol=1e-5)
    # Lifting the middle of both edges lifts the middle of the image by as much, its sides less
    lift = torch.zeros(points, dtype=torch.float64)
    lift[[1, 2, 5, 6]] = 1.0
    lifted = (spread @ lift).reshape(rows, columns)
    assert lifted[4, 10] > 0.9 > 0.5 > lifted[4, 0].abs()


def test_shapes_alone_after_transformers_has_loaded_a_model(monkeypatch):
    """While it does, `torch.linspace` is another function, and torch may remember that one as a maker of tensors."""
    makers = _device._device_constructors() - {torch.linspace}
    monkeypatch.setattr(_device, "_device_constructors", lambda: makers)
    with torch.device("meta"):
        assert all(buffer.is_meta for buffer in spline((32, 100), 20))
