"""What a given recognizer knew before: its words are no new words, its scenes no unseen scenes."""

from dataclasses import replace

import pytest
import torch
from test_context import QUICK, tiny

from wordsight.evaluate.wordset import WordSet
from wordsight.models import checkpoint
from wordsight.text import Charset
from wordsight_research.context.arms import Arm
from wordsight_research.context.data import Source, places
from wordsight_research.context.lab import Laboratory
from wordsight_research.context.measure import Measured
from wordsight_research.context.recognizers import new_recognizer, visual_branch
from wordsight_research.context.report import to_markdown
from wordsight_research.context.run import run_experiment
from wordsight_research.places.export import write_places


@pytest.fixture
def data(tmp_path):
    for part, seed in (("train/own", 5), ("train/tested", 6), ("test/tested", 7)):
        for _ in write_places(places(Source(), seed, 6, 0.5), tmp_path / part):
            pass
    return tmp_path


@pytest.fixture
def start(tmp_path):
    torch.manual_seed(0)
    model = visual_branch(new_recognizer("parseq", Charset.preset("36")))
    return checkpoint.save(model, tmp_path / "start", data={"real": ["own"], "before": {"real": ["iiit5k"]}})


def laboratory(data, start, **changes):
    settings = replace(QUICK, data=data, folds=2, starts=(("parseq", str(start)),), **changes)
    return Laboratory(settings, data / "out")


ARM = Arm("told", source=Source("tested"))


def test_without_its_words_there_are_no_strata(data, start):
    lab = laboratory(data, start)
    assert lab.vocabulary(ARM, [0]) is None
    measured = Measured(run_experiment(tiny(ARM), lab, 1))
    assert not {"IV", "OOV"} & set(measured.parts(measured.experiment.arms[0]))
    text = to_markdown(measured)
    assert "IV and OOV are left out" in text
    assert "No training saw the scenes of these test words: parseq on tested" in text


def test_a_word_of_either_stage_is_no_new_word(data, start):
    test = laboratory(data, start).words(ARM.source)[0][1]
    training = set(laboratory(data, start).training(ARM, 0).labels)
    new = next(label for label in test.labels if label.casefold() not in {word.casefold() for word in training})
    WordSet.of(["something"]).save(start)
    (without,) = laboratory(data, start).vocabulary(ARM, [0])
    assert new not in without
    WordSet.of([new.upper()]).save(start)
    (known,) = laboratory(data, start).vocabulary(ARM, [0])
    assert new in known
    assert next(iter(training)) in known
    assert known.hash != without.hash
    assert laboratory(data, start).vocabulary(ARM, [0], folded=False) is None  # hashes know no case


def test_words_may_be_named_by_the_user(data, start, tmp_path):
    (tmp_path / "list.txt").write_text("Zebra\nquagga\n")
    lab = laboratory(data, start, start_data=(tmp_path / "list.txt", data / "train" / "own"))
    (known,) = lab.vocabulary(ARM, [0])
    assert "zebra" in known
    own = lab.words(Source("own"))[0][0].labels
    assert all(label in known for label in own)
    assert lab.trained_on(ARM) == ("list.txt", "own", "iiit5k")


def test_scenes_that_it_was_trained_on_are_not_called_unseen(data, start):
    arm = replace(ARM, source=Source("own"))  # read in folds of its training scenes
    text = to_markdown(Measured(run_experiment(tiny(arm), laboratory(data, start), 1)))
    assert "trained on the very scenes that are read here** (parseq on own)" in text
    assert "No training saw" not in text
    other = checkpoint.save(checkpoint.load(start)[0], data / "silent")
    text = to_markdown(Measured(run_experiment(tiny(arm), laboratory(data, other), 1)))
    assert "is not known (parseq on own)" in text
