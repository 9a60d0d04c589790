from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_words import drawn
from onnx_twin import SCENE_DIM, differences, scenes

from wordsight.decoding.iterative import CORRECTIONS
from wordsight.models.abinet import ABINET_PRESETS, Abinet, AbinetConfig
from wordsight.models.abinet.model import cloze
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.layers.transformer import sinusoids
from wordsight.text import Charset

SMALL = AbinetConfig(
    charset=Charset("letters", "abcdefgh"),
    max_length=6,
    width_px=64,
    stem=((16, 2, 2), (32, 2, 2), (32, 2, 1)),
    units=1,
    heads=2,
    funnel=8,
    language_units=2,
    dropout=0.0,
)
PAPER = {"stem": (), "widths": (8, 16, 16, 32, 32), "blocks": (1, 1, 1, 1, 1)}


def small(place: str | None = None, **changes) -> Abinet:
    """Told of scenes at `place`, the gate half open."""
    torch.manual_seed(0)
    model = Abinet(replace(SMALL, **changes))
    if place:
        insert(model, ClipterConfig(place=place, kernel=2, scene_dim=SCENE_DIM, fusion="mh-ca-mini", box=True))
        torch.nn.init.constant_(model.fusions[place].gate.alpha, 0.5)
    return model.eval()


def batch(model: Abinet, words=("abc", "h")):
    images = torch.randn(len(words), 3, 32, 64, generator=torch.Generator().manual_seed(1))
    return images, torch.from_numpy(model.tokenizer.encode(list(words))), torch.Generator()


def reading(model: Abinet, words: list[str], sharp: float = 8.0) -> torch.Tensor:
    """Logits (B, P, C + 1) that spell words."""
    ids = model.tokenizer
    logits = torch.randn(len(words), model.cfg.positions, ids.num_classes, generator=torch.Generator().manual_seed(2))
    for row, word in zip(logits, words, strict=True):
        for place, token in enumerate([*ids.ids(word), ids.eos][: len(row)]):
            row[place, token] = sharp
    return logits


def test_size_of_the_paper():
    # 36.7 M in PARSeq's comparison (arXiv 2207.06966, table 6); its three heads of 36 characters make ours 36.74 M
    lower = replace(ABINET_PRESETS["abinet"], charset=Charset.preset("36"))
    assert sum(p.numel() for p in Abinet(lower).parameters()) == pytest.approx(36.7e6, rel=0.002)
    assert lower.grid == (8, 32)


def test_learns_four_words():
    torch.manual_seed(0)
    model = Abinet(SMALL)
    words = ["bad", "a", "cabbag", ""]
    images, targets = drawn(words, SMALL.preprocessing), torch.from_numpy(model.tokenizer.encode(words))
    optimizer = torch.optim.AdamW(model.param_groups(0.005, 1.0, 0.0))
    for _ in range(150):
        losses = model.loss(images, targets, torch.Generator())
        optimizer.zero_grad()
        losses.total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        if losses.parts["fusion"] < 0.02:
            break
    with torch.no_grad():
        logits, features = model.eval().vision(images)
        for _ in range(CORRECTIONS):
            _, logits = model.correct(logits, features)
    assert [model.tokenizer.decode(row) for row in logits.argmax(-1).tolist()] == words


def test_loss_is_its_parts():
    model = small(language_weight=0.5)
    losses = model.loss(*batch(model))
    vision, language, fusion = (losses.parts[name] for name in ("vision", "language", "fusion"))
    torch.testing.assert_close(losses.total.detach(), vision + 0.5 * language + fusion)
    images, targets, _ = batch(model)
    logits, features = model.vision(images)
    goals = targets[:, 1:]
    seen = goals != model.tokenizer.pad
    said = []
    for _ in range(CORRECTIONS):
        _, logits = model.correct(logits, features)
        picked = logits.log_softmax(-1)[:, : goals.shape[1]].gather(2, goals.clamp(max=8)[..., None])[..., 0]
        said.append(-picked[seen].mean().item())
    assert fusion.item() == pytest.approx(np.mean(said), rel=1e-5)


@pytest.mark.parametrize("changes", [{}, PAPER], ids=["compact", "paper"])
def test_everything_learns(changes):
    model = small(**changes)
    model.loss(*batch(model)).total.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_groups_hold_every_parameter_once():
    model = small("late")
    held = [id(p) for group in model.param_groups(1e-3, 2.0, 0.1) for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


def test_language_model_sends_no_gradient_into_the_reading():
    model = small()
    logits = reading(model, ["abc", "h"]).requires_grad_()
    features = torch.randn(2, model.cfg.positions, model.cfg.width, requires_grad=True)
    language_logits, corrected = model.correct(logits, features)
    (language_logits.square().sum() + corrected.square().sum()).backward()
    assert logits.grad is None  # nothing led there
    assert features.grad.abs().sum() > 0
    assert model.language.project.weight.grad.abs().sum() > 0
    # so what the language model alone is trained by leaves vision as it is
    model.zero_grad()
    logits, _ = model.vision(batch(model)[0])
    model.language(logits)[1].square().sum().backward()
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None} == {"language"}


def test_no_position_sees_its_own_character():
    model = small()
    one, other = reading(model, ["abcde"]), reading(model, ["abcde"])
    other[0, 2] = reading(model, ["bbgbb"])[0, 2]  # another character in the middle
    with torch.no_grad():
        said, also = model.language(one)[1][0], model.language(other)[1][0]
    torch.testing.assert_close(said[2], also[2], rtol=0, atol=1e-6)
    others = [0, 1, 3, 4, 5]
    assert (said[others] - also[others]).abs().amax(1).min() > 1e-4


def test_cloze_masks():
    model = small()
    hidden = cloze(reading(model, ["ab", "", "abcdefga"]).softmax(-1)) < 0
    seen = [[[j for j, h in enumerate(row) if not h] for row in mask] for mask in hidden.tolist()]
    assert seen[0] == [[1, 2], [0, 2], [0, 1], *[[0, 1, 2]] * 4]  # a, b and [E]
    assert seen[1] == [[1], [0], *[[0, 1]] * 5]
    assert seen[2] == [[j for j in range(7) if j != i] for i in range(7)]  # no [E]: all of it


def test_sinusoids():
    table = sinusoids(5, 8)
    assert table.shape == (5, 8)
    assert table[0].tolist() == [0, 1] * 4
    assert table[3, :4].tolist() == pytest.approx([np.sin(3), np.cos(3), np.sin(0.3), np.cos(0.3)], abs=1e-6)


def test_a_late_scene_is_heard_at_every_correction():
    model = small("late")
    heard = []
    model.fusions["late"].register_forward_hook(lambda *_: heard.append(1))
    context = SceneContext(*scenes(2, torch.Generator().manual_seed(0)))
    model.loss(*batch(model), context=context)
    assert len(heard) == CORRECTIONS


@pytest.mark.slow
@pytest.mark.parametrize("place", ["early", "late"])
def test_image_as_onnx(place):
    generator = torch.Generator().manual_seed(0)

    def images(crops):
        return (torch.randn(crops, 3, 32, 64, generator=generator),)

    assert max(differences(small(place, **PAPER).graphs()["image"], images, told=place == "early")) < 1e-4


@pytest.mark.parametrize("place", [pytest.param("early", marks=pytest.mark.slow), "late"])
def test_correction_as_onnx(place):
    model = small(place)
    words = ["abc", "", "abcdefgh", "h", "bb"]

    def readings(crops):
        features = torch.randn(crops, 7, 32, generator=torch.Generator().manual_seed(crops))
        return reading(model, words[:crops]), features

    assert max(differences(model.graphs()["correct"], readings, told=place == "late")) < 1e-4
