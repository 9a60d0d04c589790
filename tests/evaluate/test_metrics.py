import math

import pytest

from wordsight.errors import ConfigError
from wordsight.evaluate import PROTOCOLS, Protocol, Record, averages, calibration_error, score, similarity


def record(label: str, text: str, confidence: float = 1.0, dataset: str = "set") -> Record:
    return Record(dataset, "id", label, text, confidence)


def right(protocol: str, label: str, text: str) -> bool:
    result = score([record(label, text)], PROTOCOLS[protocol])
    assert result.n == 1
    return result.correct == 1


@pytest.mark.parametrize(
    ("label", "text", "with_36", "with_62", "with_94"),
    [
        ("Word", "Word", True, True, True),
        ("Word", "wORD", True, False, False),
        ("it's", "its", True, True, False),
        ("it's", "it's", True, True, True),
        ("two words", "twowords", True, True, True),
        ("two words", "two words", True, True, True),
        ("Café", "Cafe", True, True, True),  # labels are brought to ASCII, as PARSeq's are
        ("Café", "Café", False, False, False),  # readings are not, neither are PARSeq's
        ("1", "l", False, False, False),
    ],
)
def test_what_counts_as_right(label: str, text: str, with_36: bool, with_62: bool, with_94: bool) -> None:
    assert [right(p, label, text) for p in ("36", "62", "94")] == [with_36, with_62, with_94]


def test_labels_that_vanish_are_dropped_and_counted() -> None:
    records = [record("###!", "x"), record("...", ""), record("ok", "ok")]
    result = score(records, PROTOCOLS["36"])
    assert (result.n, result.correct, result.left_out) == (1, 1, {"label empty in this charset": 2})
    assert score(records, PROTOCOLS["94"]).n == 3


def test_long_labels_are_left_out_only_where_the_protocol_says_so() -> None:
    records = [record("a" * 26, "a" * 26), record("b c " * 12 + "b", "x"), record("d" * 25, "d" * 25)]
    assert score(records, PROTOCOLS["36"]).n == 3
    result = score(records, PROTOCOLS["parseq-36"])
    # White space is removed before characters are counted, and the second label has 25 without it.
    assert (result.n, result.left_out) == (2, {"label over 25 characters": 1})
    # Punctuation counts towards the length although 36 characters do not include it.
    assert score([record("a" + "." * 25, "a")], PROTOCOLS["parseq-36"]).n == 0


def test_waics_counts_every_sample() -> None:
    result = score([record("!!", "?"), record("&", "a"), record("It's", "ITS")], PROTOCOLS["waics"])
    assert (result.n, result.correct) == (3, 2)


def test_exact_compares_spaces_and_keeps_empty_labels() -> None:
    assert right("exact", "two words", "two words")
    assert not right("exact", "two words", "twowords")
    assert right("exact", "", "")
    assert not right("exact", "", "x")


def test_latin_compares_accents() -> None:
    assert right("latin", "Café au lait", "Café au lait")
    assert right("latin", "Cafe\u0301", "Café")  # labels are brought to one form
    assert not right("latin", "Café", "Cafe")
    assert not right("latin", "Straße", "STRASSE")
    assert right("latin", "", "")


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose from 36"):
        Protocol.named("37")


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [
        ("", "", 1.0),
        ("abcd", "", 0.0),
        ("", "abcd", 0.0),
        ("abcd", "abcd", 1.0),
        ("abcd", "abxd", 0.75),
        ("ab", "abcd", 0.5),
    ],
)
def test_similarity(label: str, text: str, expected: float) -> None:
    assert similarity(label, text) == expected


def test_edit_distances_of_a_set() -> None:
    result = score([record("abcd", "abxd"), record("ab", "abcd"), record("xyz", "XYZ")], PROTOCOLS["36"])
    assert result.ned == pytest.approx((0.75 + 0.5 + 1) / 3)
    assert result.cer == pytest.approx((1 + 2 + 0) / 9)
    assert result.accuracy == pytest.approx(1 / 3)


def test_calibration_error_by_hand() -> None:
    # Ten bins: (0.9, 1] holds two samples, sure 0.95 on average and half right; (0.2, 0.3] one at 0.3 that is wrong.
    value = calibration_error([0.92, 0.98, 0.3], [True, False, False], bins=10)
    assert value == pytest.approx((2 * abs(0.95 - 0.5) + 0.3) / 3)
    assert calibration_error([1.0, 0.0], [True, False]) == 0
    assert math.isnan(calibration_error([], []))


def test_nothing_counted_is_nan_not_zero() -> None:
    result = score([], PROTOCOLS["36"])
    assert result.n == 0
    assert all(math.isnan(v) for v in (result.accuracy, result.ned, result.cer, result.ece, result.confidence))


def test_both_averages() -> None:
    small = score([record("a", "a", dataset="small")], PROTOCOLS["36"])
    large = score([record("a", "b", dataset="large")] * 3, PROTOCOLS["36"])
    empty = score([record("!", "!", dataset="empty")], PROTOCOLS["36"])
    (average,) = averages([small, large, empty])
    assert (average.sets, average.n) == (2, 4)
    assert average.weighted_accuracy == average.weighted_ned == 0.25
    assert average.arithmetic_accuracy == average.arithmetic_ned == 0.5
    assert averages([small]) == []


@pytest.mark.data
def test_the_public_test_set_keeps_all_its_words(real_data) -> None:  # type: ignore[no-untyped-def]
    from wordsight.data import open_source

    source = open_source(real_data / "words/test/ic15")
    records = [record(source.text(i), source.text(i).upper()) for i in range(len(source))]
    result = score(records, PROTOCOLS["36"])
    assert (result.n, result.left_out) == (2077, {})
    assert score(records, PROTOCOLS["parseq-36"]).n == 2077
