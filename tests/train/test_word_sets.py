"""A checkpoint carries the words that it was trained on, in its own run and in those before."""

import json

from wordsight.evaluate.wordset import FILE, WordSet


def test_a_set_of_words_without_the_words(tmp_path):
    words = WordSet.of(["Exit", "beer", "BEER", "open"])
    assert len(words) == 3
    assert "exit" in words
    assert "Beer" in words
    assert "ope" not in words
    words.save(tmp_path)
    assert (tmp_path / FILE).stat().st_size == 24
    again = WordSet.load(tmp_path) | WordSet.of(["close"])
    assert len(again) == 4
    assert "open" in again
    assert "close" in again
    assert WordSet.load(tmp_path / "nowhere") is None
    assert "any" not in WordSet.of([])


def test_checkpoints_carry_their_words_if_all_are_known(train_here, tmp_path, words):
    labels = [line.split("\t")[1] for line in (words / "labels.tsv").read_text().splitlines()]
    flags = ("--trainer.max_steps=2", "--data.validation_share=0")
    first = train_here("first", *flags)  # begins with a recognizer of which nobody knows what it was trained on
    assert not (first / "model" / FILE).exists()
    WordSet.of(["before"]).save(tmp_path / "start")
    found = WordSet.load(train_here("second", *flags) / "model")
    assert len(found) == len({label.casefold() for label in labels} | {"before"})
    assert all(label in found for label in (*labels, "before"))
    scratch = train_here(
        "scratch", *flags, "--model.start=null", "--model.model=parseq-compact", "--data.real_share=0.5"
    )
    found = WordSet.load(scratch / "model")
    assert labels[3] in found
    assert "open" in found  # of the list of signs that is rendered


def test_a_card_says_what_was_trained_on_before(train_here, tmp_path):
    flags = ("--trainer.max_steps=2", "--trainer.val_check_interval=2")
    train_here("first", *flags)
    second = train_here("second", *flags, f"--model.start={tmp_path / 'first' / 'model'}")
    about = json.loads((second / "model" / "config.json").read_text())["about"]
    assert about["data"]["real"] == about["data"]["before"]["real"] == ["words"]
