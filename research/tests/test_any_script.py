"""Experiments on words of any script and on any data."""

import json
from dataclasses import replace

import pytest
from test_context import QUICK, tiny

from wordsight.errors import ConfigError
from wordsight_research.context.arms import Arm
from wordsight_research.context.data import OWN_LETTERS, Source, places
from wordsight_research.context.experiments import experiment
from wordsight_research.context.lab import Laboratory
from wordsight_research.context.measure import Measured
from wordsight_research.context.run import run_experiment
from wordsight_research.places.export import write_places

LETTERS = "東京都市場駅前通出口入売店食堂禁煙注意危険工事中止"


@pytest.fixture
def data(tmp_path):
    """Scenes whose words are said to be Chinese; one of the test's has a character that training never had."""
    for part, seed in (("train/shops", 5), ("test/shops", 6)):
        for _ in write_places(places(Source(), seed, 12, 0.5), tmp_path / part):
            pass
        file = tmp_path / part / "scenes.jsonl"
        scenes = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        number = 0
        for scene in scenes:
            for word in scene["words"]:
                word["text"] = LETTERS[number % 6] + LETTERS[number % 5]
                number += 1
        if part.startswith("test"):
            scenes[0]["words"][0]["text"] = "鬱東"
        file.write_text("".join(json.dumps(scene) + "\n" for scene in scenes), encoding="utf-8")
    return tmp_path


def test_words_are_counted_by_the_charset_of_the_recognizer(data):
    lab = Laboratory(replace(QUICK, data=data), data / "out")
    arm = Arm("context", source=Source("shops", script=OWN_LETTERS))
    assert set(lab.charset(arm).characters) == set(LETTERS[:6])
    train, test = lab.words(arm.source)[0]
    whole = lab.words(Source("shops", script="greek"))[0][1]  # of other scripts everything counts
    assert len(test) == len(whole) - 1
    assert "鬱東" not in test.labels
    assert len(lab.training(arm, 0)) == len(train) > 0
    assert not len(lab.words(Source("shops"))[0][1])  # protocol 36 would count none of them
    measured = Measured(run_experiment(tiny(arm), lab, 1))
    assert measured.scores[0].n == len(test)


def test_script_and_data_size_go_to_the_sets_that_are_named():
    found = experiment("script", ["shops", "svt"], ["shops", "rendered"])
    assert {(arm.source.name, arm.source.script) for arm in found.arms} == {("shops", OWN_LETTERS), ("rendered", "")}
    assert {c.arm for c in found.contrasts} <= {arm.name for arm in found.arms}
    assert {arm.source.script for arm in experiment("script").arms} == {"", "greek", "cyrillic"}
    found = experiment("data-size", ["svt"], ["svt"])
    assert {arm.source.name for arm in found.arms} == {"svt"}
    assert sorted({arm.source.share for arm in found.arms}) == [0.01, 0.03, 0.1, 0.3, 1.0]
    with pytest.raises(ConfigError, match="needs scenes of mlt19"):
        experiment("script", ["svt"], ["mlt19"])
