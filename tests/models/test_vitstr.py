from dataclasses import replace

import pytest
import torch
from onnx_twin import SCENE_DIM, differences, scenes

from wordsight.errors import ConfigError
from wordsight.models.clipter import ClipterConfig, SceneContext, insert
from wordsight.models.config import ImageTowerConfig
from wordsight.models.vitstr import VITSTR_PRESETS, Vitstr, VitstrConfig
from wordsight.text import Charset

SMALL = VitstrConfig(
    charset=Charset("letters", "abcdefgh"),
    max_length=6,
    height=16,
    width_px=32,
    image=ImageTowerConfig(16, 32, patch=(8, 8), width=32, layers=4, heads=2, activation="gelu", norm_pre=False),
)


def small(**inserted):
    """Told of scenes as said, the gate half open."""
    torch.manual_seed(0)
    model = Vitstr(SMALL)
    if inserted:
        insert(model, ClipterConfig(kernel=2, scene_dim=SCENE_DIM, box=True, **inserted))
        for fusion in model.fusions.values():
            torch.nn.init.constant_(fusion.gate.alpha, 0.5)
    return model.eval()


@pytest.mark.parametrize(("name", "millions"), [("vitstr-tiny", 5.4), ("vitstr-small", 21.5), ("vitstr-base", 85.8)])
def test_size_of_the_paper(name, millions):
    # Table 4 of the paper. DeiT-Ti alone, without a head, has 5.52 M, so its 5.4 M is not counted as ours is
    with torch.device("meta"):
        model = Vitstr(VITSTR_PRESETS[name])
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.03)


@pytest.mark.parametrize(
    "change", [{"max_length": 8}, {"height": 32}, {"image": replace(SMALL.image, class_token=False)}]
)
def test_what_does_not_fit_is_refused(change):
    with pytest.raises(ConfigError, match=r"tokens cannot be|class token"):
        replace(SMALL, **change)


def test_token_i_says_id_i():
    model = small()
    memory = torch.randn(1, SMALL.image.tokens, 32)
    plain = model.decode(memory)
    for token in range(SMALL.image.tokens):
        changed = memory.clone()
        changed[:, token] += 1
        told = (model.decode(changed) != plain).any(-1)[0]  # (P,)
        # Of [B] c1 c2 ... position 0 is c1; the class token and those after max_length + 1 say nothing
        assert told.tolist() == [position + 1 == token for position in range(SMALL.max_length + 1)]


def test_loss_is_that_of_characters_and_end():
    model = small()
    images, targets = torch.randn(2, 3, 16, 32), torch.from_numpy(model.tokenizer.encode(["abc", "h"]))
    said = model.decode(model.encode(images)).log_softmax(-1)
    pairs = [(0, 0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 0), (1, 0, 8), (1, 1, 0)]  # row, position, class
    total = -sum(said[pair] for pair in pairs)
    torch.testing.assert_close(model.loss(images, targets, torch.Generator()).total, total / 6)
    # a batch of a step whose parts have 3 characters in their labels on average
    torch.testing.assert_close(model.loss(images, targets, torch.Generator(), characters=3.0).total, total / 5)


def test_everything_learns():
    model = small()
    targets = torch.from_numpy(model.tokenizer.encode(["abcabc", "h", ""]))
    model.loss(torch.randn(3, 3, 16, 32), targets, torch.Generator()).total.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(("block", "behind"), [(None, 1), (0, 0), (3, 3)])
def test_early_is_behind_the_middle_block_or_the_one_that_is_named(block, behind):
    model = small(place="early", early_block=block)
    ran = []
    for i, part in enumerate(model.image_tower.blocks):
        part.register_forward_hook(lambda *_, i=i: ran.append(i))
    (fusion,) = model.fusions.values()
    fusion.register_forward_hook(lambda *_: ran.append("fusion"))
    context = SceneContext(*scenes(2, torch.Generator().manual_seed(0)))
    model.encode(torch.randn(2, 3, 16, 32), context)
    assert ran.index("fusion") == behind + 1


@pytest.mark.slow
def test_graph_as_onnx():
    model = small(place="early")
    generator = torch.Generator().manual_seed(0)

    def images(crops):
        return (torch.randn(crops, 3, 16, 32, generator=generator),)

    assert max(differences(model.graphs()["image"], images, told=True)) < 1e-5
