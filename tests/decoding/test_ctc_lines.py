"""Lines read by CTC: their words, places, constraints and dictionaries."""

import numpy as np
import pytest
from fake_engine import FakeEngine

from wordsight.decoding import Settings
from wordsight.decoding.ctc import CTC
from wordsight.decoding.ctc_paths import probability
from wordsight.errors import ConfigError
from wordsight.text import Charset, CharTokenizer, Constraint, Dictionary

TOKENIZER = CharTokenizer(Charset.preset("94+space"))
FRAMES = 4  # for each character, the second of which says it


class Spec:
    tokenizer = TOKENIZER
    max_length = 60


class Says(FakeEngine):
    """Frames that say a text, some of its characters less surely than another: {place: (other, its share)}."""

    def __init__(self, text: str, doubts: dict[int, tuple[str, float]] | None = None, floor: float = 1e-7) -> None:
        columns = np.full((FRAMES * len(text), TOKENIZER.num_classes), floor)
        columns[:, 0] = 1
        for place, character in enumerate(text):
            frame = FRAMES * place + 1
            columns[frame, 0] = floor
            other, share = (doubts or {}).get(place, (character, 0.0))
            columns[frame, TOKENIZER.ids(other)[0]] = share
            columns[frame, TOKENIZER.ids(character)[0]] = 1 - share
        self.logits = np.log(columns / columns.sum(axis=1, keepdims=True))[None].astype(np.float32)

    def image(self, images):
        return self.logits

    def read(self, **options):
        (reading,) = CTC.read(self, np.zeros((1, 3, 48, 96), np.float32), Spec(), Settings(**options))
        return reading


def test_a_line_has_words_and_every_character_a_place():
    text = "AB12 main()"
    line = Says(text).read()
    assert line.text == text
    assert [word.text for word in line.words] == ["AB12", "main()"]
    edges = np.linspace(0, 1, len(text) + 1)
    np.testing.assert_allclose(np.array(line.places), np.stack([edges[:-1], edges[1:]], axis=1), atol=1.5 / 44)
    np.testing.assert_allclose(line.words[1].places, line.places[5:])
    assert line.confidence == pytest.approx(line.words[0].confidence * line.words[1].confidence, rel=0.01)
    assert line.confidence == pytest.approx(1, abs=0.01)


def test_a_single_word_is_no_line():
    reading = Says("word").read()
    assert (reading.text, reading.words) == ("word", ())


def test_a_word_of_a_line_is_as_sure_as_its_own_frames():
    line = Says("sure dOubt", {6: ("0", 0.4)}).read()
    assert line.words[0].confidence == pytest.approx(1, abs=0.01)
    assert line.words[1].confidence == pytest.approx(0.6, abs=0.01)
    assert line.words[1].chars[1].alternatives[0] == ("0", pytest.approx(0.4, abs=0.01))


def with_space(text: str, frame: int, share: float) -> Says:
    """A frame that says a space rather than nothing with this share."""
    says = Says(text)
    says.logits[0, frame, 0], says.logits[0, frame, TOKENIZER.ids(" ")[0]] = np.log(1 - share), np.log(share)
    return says


@pytest.mark.parametrize(("share", "text"), [(0.25, "NEW YEAR"), (0.05, "NEWYEAR")])
def test_spaces_are_read_that_frames_nearly_say(share, text):
    line = with_space("NEWYEAR", FRAMES * 3 - 1, share).read()
    assert line.text == text
    assert [word.text for word in line.words] == (text.split() if " " in text else [])
    assert all(word.confidence == pytest.approx(1, abs=0.01) for word in line.words)  # each by its own frames
    assert line.confidence == pytest.approx(1 if " " in text else 1 - share, abs=0.01)


@pytest.mark.parametrize(("text", "frame"), [("NEWYEAR", 0), ("NEWYEAR", FRAMES * 7 - 1), ("12:30", FRAMES * 3 - 1)])
def test_spaces_are_not_favoured_around_a_text_and_between_digits(text, frame):
    assert with_space(text, frame, 0.4).read().text == text


def test_spaces_are_not_favoured_where_all_letters_stand_apart():
    says = Says("TAXIS")
    for gap in range(1, 5):
        says.logits[0, FRAMES * gap - 1, TOKENIZER.ids(" ")[0]] = np.log(0.25 if gap == 1 else 0.05)
        says.logits[0, FRAMES * gap - 1, 0] = np.log(0.75 if gap == 1 else 0.95)
    assert says.read().text == "TAXIS"


def test_spaces_are_not_favoured_where_a_constraint_forbids_them():
    line = with_space("NEWYEAR", FRAMES * 3 - 1, 0.4).read(constraint=Constraint.pattern("[A-Z]+", TOKENIZER))
    assert (line.text, line.outside) == ("NEWYEAR", False)
    assert line.confidence == pytest.approx(0.6, abs=0.01)
    allowed = with_space("NEWYEAR", FRAMES * 3 - 1, 0.4).read(constraint=Constraint.pattern("[A-Z ]+", TOKENIZER))
    assert (allowed.text, allowed.outside) == ("NEW YEAR", False)


@pytest.mark.parametrize(
    ("pattern", "text", "outside"),
    [
        (r"[A-Z]{2}\d{2} [A-Z]{3}", "AB12 CDE", False),
        (r"[A-Z]{2}\d{2}", "AB12", True),
        (r"[A-Z]{2}\d{2} [A-Z]{2}8", "AB12 CD8", True),
        (r"[A-Z]{2}\d{2} CD[EF]", "AB12 CDE", False),
    ],
)
def test_a_pattern_holds_for_the_whole_line(pattern, text, outside):
    line = Says("AB12 CDE").read(constraint=Constraint.pattern(pattern, TOKENIZER))
    assert (line.text, line.outside) == (text, outside)
    words = line.words or (line,)
    assert all(word.outside == outside for word in words)
    assert all((word.confidence < 0.001) == outside for word in words)


def test_what_is_nearly_as_likely_and_allowed_is_read():
    said = Says("AB12 CDE", {2: ("l", 0.9)})  # the frames rather say ABl2
    assert said.read().text == "ABl2 CDE"
    line = said.read(constraint=Constraint.pattern(r"[A-Z]{2}\d{2} [A-Z]{3}", TOKENIZER))
    assert (line.text, line.outside) == ("AB12 CDE", False)
    assert [word.text for word in line.words] == ["AB12", "CDE"]
    assert line.confidence > 0.9  # of what is allowed nothing else is likely
    assert line.words[0].confidence == line.confidence
    assert line.clarity == pytest.approx(0.1, abs=0.01)  # it is still as likely to be seen as it was


def test_of_a_list_with_spaces_the_likeliest_is_read_in_its_case():
    lexicon = Constraint.lexicon(["New York", "Berlin", "New Ark"], TOKENIZER)
    line = Says("NEW YORX", {7: ("K", 0.3)}).read(constraint=lexicon)
    assert (line.text, line.outside) == ("NEW YORK", False)
    assert Says("unlike any").read(constraint=lexicon).outside


def test_a_doubled_character_needs_a_blank_between():
    line = Says("100").read(constraint=Constraint.pattern("100|10", TOKENIZER))
    assert line.text == "100"


def test_what_is_too_long_is_refused_or_outside():
    with pytest.raises(ConfigError, match="61 characters"):
        Says("a").read(constraint=Constraint.pattern("a{61}", TOKENIZER))
    reading = Says("a").read(constraint=Constraint.pattern("[ab]{9}", TOKENIZER))
    assert (reading.text, reading.confidence, reading.outside) == ("", 0.0, True)


def test_a_doubtful_unknown_word_of_a_line_becomes_a_known_one():
    said = Says("the hcuse 12", {5: ("o", 0.4)})
    assert said.read().text == "the hcuse 12"
    line = said.read(dictionary=Dictionary(["house", "the"]))
    assert line.text == "the house 12"
    assert [word.text for word in line.words] == ["the", "house", "12"]
    assert line.words[1].confidence == pytest.approx(45 * 0.4 / (45 * 0.4 + 0.6), abs=0.02)
    np.testing.assert_allclose(line.words[1].places, said.read().words[1].places, atol=0.02)
    assert line.confidence == pytest.approx(np.prod([word.confidence for word in line.words]))
    assert line.clarity == pytest.approx(said.read().confidence)
    assert said.read(dictionary=Dictionary(["mouse"])).text == "the hcuse 12"


@pytest.mark.parametrize(("read", "known"), [("cst", "cat"), ("tcwn", "town"), ("hcuse", "house")])
def test_the_longer_a_known_word_the_less_the_picture_has_to_speak_for_it(read, known):
    """It takes the place of another string that is seven times as likely if it has four letters or more."""
    place = next(i for i, (one, other) in enumerate(zip(read, known, strict=True)) if one != other)
    word = Says(read, {place: (known[place], 1 / 8)}).read(dictionary=Dictionary([known]))
    assert word.text == (read if len(read) < 4 else known)


@pytest.mark.parametrize("temperature", [0.3, 5.0])
@pytest.mark.parametrize("said", [Says("cst", {1: ("a", 1 / 8)}), Says("tcwn", {1: ("o", 1 / 8)}), Says("a cst")])
def test_no_temperature_changes_what_frames_and_dictionary_decide(said, temperature):
    known = Dictionary(["cat", "town"])
    line, tempered = said.read(dictionary=known), said.read(dictionary=known, temperature=temperature)
    assert tempered.text == line.text
    assert tempered.clarity == pytest.approx(line.clarity)  # which way up text is does not depend on it either
    for word, soft in zip(line.words or [line], tempered.words or [tempered], strict=True):
        odds = (word.confidence / (1 - word.confidence)) ** (1 / temperature)
        assert soft.confidence == pytest.approx(odds / (1 + odds))
    assert tempered.confidence == pytest.approx(np.prod([word.confidence for word in tempered.words or [tempered]]))


def test_from_six_letters_on_known_words_count_alike():
    """135 times: chance hits few of them, but more would turn foreign words into English ones."""
    for read, place, known in (("mcther", 1, "mother"), ("mcuntain", 1, "mountain")):
        word = Says(read, {place: (known[place], 0.2)}).read(dictionary=Dictionary([known]))
        assert word.text == known
        assert word.confidence == pytest.approx(135 * 0.2 / (135 * 0.2 + 0.8), abs=0.003)


def test_the_probability_of_no_text_is_that_of_blanks():
    columns = np.exp(Says("ab").logits[0].astype(float))
    assert probability(columns, np.zeros(0, np.int64), 0) == pytest.approx(columns[:, 0].prod())


@pytest.mark.parametrize(("share", "text"), [(0.003, "I"), (0.01, ""), (0.4, "")])
def test_a_text_hardly_likelier_than_none_is_not_reported(share, text):
    said = Says("I")
    said.logits[0, 1, [0, TOKENIZER.ids("I")[0]]] = np.log([share, 1 - share])
    reading = said.read()
    assert reading.text == text
    assert reading.confidence == pytest.approx(share if not text else 1 - share, abs=0.01)
