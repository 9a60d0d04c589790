"""The direct proof that information flows: crops are blank, and only the scene tells the word."""

import pytest
import torch

from wordsight.data.labels import trained_label
from wordsight.models import checkpoint
from wordsight_research.context.arms import CONTEXT, NONE, OTHER, OWN, Arm
from wordsight_research.context.data import Source
from wordsight_research.context.fit import read
from wordsight_research.context.lab import Laboratory, Settings
from wordsight_research.context.run import run_arm, trained
from wordsight_research.context.views import View

PLACES = 12
SETTINGS = Settings(
    steps=400,
    steps_one=10,
    loose_words=20,
    train_scenes=240,
    test_scenes=120,
    scene_dropout=0.0,
    encoder_scenes=1200,
    encoder_steps=1000,
)
BLANK = Source(blank=True, unseen=0.0)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    torch.set_num_threads(1)
    return Laboratory(SETTINGS, tmp_path_factory.mktemp("blank"))


def accuracy(texts, words, charset):
    labels = [trained_label(label, charset) for label in words.labels]
    return sum(text == label for text, label in zip(texts, labels, strict=True)) / len(labels)


@pytest.mark.slow
def test_only_the_scene_tells_the_word(lab):
    arm = Arm("told", source=BLANK)
    charset = lab.charset(arm)
    train, test = lab.training(arm, 0), lab.words(BLANK)[0][1]
    assert CONTEXT.kernel is not None
    model, _ = checkpoint.load(trained(arm, lab, 0, 0))
    assert accuracy(read(model, train, arm.crops, lab.told(arm, train, View(), 0)), train, charset) == 1.0

    found = run_arm(arm, (OWN, OTHER, NONE), lab, 0)
    assert accuracy(found.texts[OWN.name], test, charset) >= 0.9
    assert accuracy(found.texts[OTHER.name], test, charset) < 0.25
    assert accuracy(found.texts[NONE.name], test, charset) < 0.25


@pytest.mark.slow
def test_without_context_blank_crops_are_read_by_chance(lab):
    arm = Arm("bare", source=BLANK, clipter=None)
    found = run_arm(arm, (OWN,), lab, 0)
    share = accuracy(found.texts[OWN.name], lab.words(BLANK)[0][1], lab.charset(arm))
    assert share < 2.5 / PLACES
