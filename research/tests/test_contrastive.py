"""The miniature CLIP: its loss, its pairs, and runs that learn, die and go on."""

import random

import numpy as np
import pytest
import torch
from coloured_scenes import COLOURS, write_scenes
from torch.nn import functional as F

from wordsight.data import read_scenes
from wordsight.errors import ConfigError, DataError
from wordsight.models import checkpoint
from wordsight.models.clip import Clip
from wordsight.models.clipter.encoders import load_encoder
from wordsight_research.clip.scenes import ScenePairs, SmallScene, held_out_pairs, scene_clip, split
from wordsight_research.clip.training import Pairs, Pretraining, contrastive_loss, pretrain, retrieval
from wordsight_research.clip.zeroshot import load_clip, match


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return write_scenes(tmp_path_factory.mktemp("scenes") / "coloured", 40)


def small(folder, seed=0, batch_size=8):
    """A tiny model, pairs of scenes, and held-out pairs."""
    torch.manual_seed(seed)
    model = Clip(scene_clip(side=32, width=32, layers=1))
    training, others = split([folder])
    kept = [SmallScene.of(scene, 40) for scene in training]
    return model, ScenePairs(model, [kept], [1.0], batch_size, seed), {"real": held_out_pairs(model, others)}


def test_equal_texts_are_no_negatives():
    torch.manual_seed(0)
    logits = torch.randn(3, 3)
    tokens = torch.tensor([[1, 2], [1, 2], [1, 3]])  # the first two say the same
    pairs = [logits[0, [0, 2]], logits[1, [1, 2]], logits[2]]
    rows = [F.cross_entropy(row, torch.tensor(own)) for row, own in zip(pairs, (0, 0, 2), strict=True)]
    pairs = [logits[[0, 2], 0], logits[[1, 2], 1], logits[:, 2]]
    columns = [F.cross_entropy(row, torch.tensor(own)) for row, own in zip(pairs, (0, 0, 2), strict=True)]
    expected = (torch.stack(rows).mean() + torch.stack(columns).mean()) / 2
    torch.testing.assert_close(contrastive_loss(logits, tokens), expected)


def test_a_batch_of_one_text_says_nothing():
    logits = torch.randn(4, 4, requires_grad=True)
    loss = contrastive_loss(logits, torch.ones(4, 5, dtype=torch.long))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not logits.grad.any()


def test_retrieval_counts_equal_texts_as_right():
    class Answers(torch.nn.Module):
        """Images and texts that are their own vectors."""

        logit_scale = torch.zeros(())

        def encode_image(self, images):
            return images.flatten(1)

        def encode_text(self, tokens):
            return tokens[:, :3].float()

    images = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.4, 0.5, 0]])[:, :, None, None]
    tokens = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]])
    found = retrieval(Answers(), Pairs(images, tokens))
    # Image 0 and 1 find theirs; 2 fits nothing at all, so nothing fits better; 3 finds that of 1 and 2 first
    assert found.pairs == 4
    assert found.top == 0.75
    assert found.chance == 0.5
    assert found.rank == 0.25


def test_captions_hold_words_of_the_part_that_is_shown():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, :20], picture[:, 20:] = 60, 180
    places = np.array([[0.05, 0.05], [0.95, 0.95]], np.float32)
    scene = SmallScene("two", picture, ("dark", "bright"), places)
    seen = set()
    for number in range(60):
        pixels, text = scene.look(np.random.default_rng(number), 32)
        assert pixels.shape == (32, 32, 3)
        assert pixels.dtype == np.uint8
        seen.add(text)
    assert seen == {"dark", "bright", "dark bright", "bright dark"}


def test_a_batch_is_a_function_of_its_number(scenes):
    _, first, _ = small(scenes)
    _, again, _ = small(scenes)
    again[3]
    assert torch.equal(first[5].images, again[5].images)
    assert torch.equal(first[5].tokens, again[5].tokens)
    assert not torch.equal(first[5].images, first[6].images)
    assert len(set(first[5].samples)) == 8


def test_the_end_of_every_folder_is_held_out(scenes, tmp_path):
    training, others = split([scenes, write_scenes(tmp_path / "more", 5)])
    assert [scene.image.name for scene in others] == ["36.png", "37.png", "38.png", "39.png", "4.png"]
    assert len(training) == 36 + 4
    with pytest.raises(DataError, match="too few"):
        split([write_scenes(tmp_path / "one", 1)])


def test_it_learns_what_pictures_say(scenes, tmp_path):
    """Held-out scenes find the name of their colour, and every door opens to the checkpoint."""
    model, pairs, held_out = small(scenes, batch_size=16)
    said = []
    plan = Pretraining(60, 16, lr=3e-3, every=30)
    found = pretrain(model, pairs, held_out, plan, tmp_path / "clip", {"miniature_clip": "scenes"}, said.append)["real"]
    assert found.chance == pytest.approx(0.25)
    assert found.top == 1.0
    assert found.rank == 0.0
    assert len(said) == 2
    assert said[1].startswith("step 60")
    assert "chance 25.0 %" in said[1]
    _, about = checkpoint.load(tmp_path / "clip")
    assert about["steps"] == 60
    assert about["retrieval"]["real"]["top"] == 1.0
    assert about["miniature_clip"] == "scenes"
    encoder = load_encoder(str(tmp_path / "clip"))
    assert (encoder.width, encoder.grid, encoder.has_cls) == (32, (2, 2), True)
    navy = next(s for s in read_scenes(scenes) if s.words[0].text == "navy").load()
    best = max(match(load_clip(tmp_path / "clip"), navy, list(COLOURS)), key=lambda one: one.probability)
    assert best.text == "navy"


def test_a_killed_run_ends_as_one_that_was_never_killed(scenes, tmp_path):
    plan = Pretraining(6, 8, every=2)

    class Dies(ScenePairs):
        def __getitem__(self, step):
            if step == 5:
                raise KeyboardInterrupt
            return super().__getitem__(step)

    model, pairs, held_out = small(scenes)
    dying = Dies(model, pairs.kinds, [1.0], 8, 0)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        pretrain(model, dying, held_out, plan, tmp_path / "killed", {})
    _, about = checkpoint.load(tmp_path / "killed")
    assert about["steps"] == 4
    states = []
    for name in ("killed", "through"):
        model, pairs, held_out = small(scenes)
        if name == "killed":
            torch.manual_seed(random.randrange(1000))
            model = Clip(model.cfg)  # whatever it begins with
        pretrain(model, pairs, held_out, plan, tmp_path / name, {})
        states.append(model.state_dict())
    for name, tensor in states[1].items():
        assert torch.equal(states[0][name], tensor), name


def test_another_run_does_not_go_on(scenes, tmp_path):
    model, pairs, held_out = small(scenes)
    pretrain(model, pairs, held_out, Pretraining(2, 8, every=2), tmp_path / "clip", {})
    with pytest.raises(ConfigError, match="choose another --out"):
        pretrain(model, pairs, held_out, Pretraining(4, 8, every=2), tmp_path / "clip", {})
