import json

import pytest

from wordsight.evaluate import Protocol
from wordsight_research.context.strata import Vocabulary, by_kind, by_length, repeated


def test_vocabulary_counts_what_was_trained_on():
    seen = Vocabulary.of(["exit", "exit", "Beer", "12"])
    assert seen.known(["exit", "beer", "Beer", "13"]).tolist() == [True, False, True, False]
    assert [seen.frequency(w) for w in ("exit", "beer", "12")] == [2, 0, 1]
    assert len(seen) == 3


def test_vocabulary_with_case_folded():
    seen = Vocabulary.of(["EXIT", "exit", "Beer"], folded=True)
    assert seen.known(["Exit", "BEER", "exits"]).tolist() == [True, True, False]
    assert seen.frequency("Exit") == 2
    assert len(seen) == 2


def test_hash_tells_vocabularies_apart_and_not_their_order():
    one = Vocabulary.of(["a", "b", "b"])
    assert one.hash == Vocabulary.of(["b", "a"]).hash
    assert one.hash != Vocabulary.of(["a", "c"]).hash
    assert Vocabulary.of(["ab"]).hash != one.hash
    assert one.hash == "7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78"  # sha256 of "a\nb"


def test_frequencies_and_lengths_are_binned():
    seen = Vocabulary.of(["a"] + ["bb"] * 5 + ["cccc"] * 10)
    labels = ["a", "bb", "cccc", "new", "information"]
    assert {k: v.tolist() for k, v in seen.by_frequency(labels).items()} == {
        "seen 0": [False, False, False, True, True],
        "seen 1": [True, False, False, False, False],
        "seen 2-9": [False, True, False, False, False],
        "seen 10+": [False, False, True, False, False],
    }
    lengths = by_length(labels)
    assert list(lengths) == ["length 1-3", "length 4-6", "length 11+"]
    assert sum(mask.sum() for mask in lengths.values()) == 5


def test_kinds_of_words():
    kinds = by_kind(["cafe", "a4", "it's", "50%"])
    assert {k: v.tolist() for k, v in kinds.items()} == {
        "letters": [True, False, False, False],
        "with digits": [False, True, False, True],
        "with punctuation": [False, False, True, False],
    }


def test_a_word_is_repeated_in_its_own_scene_only():
    labels, scenes = ["cafe", "cafe", "bar", "bar", "tea"], [0, 0, 0, 1, 1]
    assert repeated(labels, scenes).tolist() == [True, True, False, False, False]
    with_others = [*zip(scenes, labels, strict=True), (1, "tea")]
    assert repeated(labels, scenes, with_others).tolist() == [True, True, False, False, True]


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        repeated(["a"], [0, 1])


@pytest.mark.data
def test_words_that_are_repeated_in_the_scenes_of_icdar_2015(real_data):
    """13 % of its test words: 270 of 2,077, under the protocol that scores them."""
    lines = (real_data / "scenes/test/ic15/scenes.jsonl").read_text(encoding="utf-8").splitlines()
    words = [(s, w["text"]) for s, line in enumerate(lines) for w in json.loads(line)["words"] if w["legible"]]
    label = Protocol.named("36").label
    assert len(words) == 2077
    assert repeated([label(text) for _, text in words], [s for s, _ in words]).sum() == 270
