import numpy as np
import pytest

from wordsight.data.recombined import Letters, Recombined
from wordsight.errors import DataError

PER_LETTER = 10


def word(text, number, height=20):
    """Every letter is `PER_LETTER` columns of its own colour: red says the word, green the letter."""
    image = np.zeros((height, PER_LETTER * len(text), 3), np.uint8)
    image[..., 0] = number
    for i, char in enumerate(text):
        image[:, PER_LETTER * i : PER_LETTER * (i + 1), 1] = ord(char)
    return Letters(image, text, PER_LETTER * np.arange(len(text) + 1))


@pytest.fixture(scope="module")
def source():
    texts = ["market", "AB", "STREET", "house", "0123456789", "cafe"]
    return Recombined([word(text, 40 + k, 20 + 4 * k) for k, text in enumerate(texts)], seed=3)


def shown(image):
    """What the middles of its letters' columns say, as long as colours were not changed."""
    return "".join(
        chr(round(float(image[:, PER_LETTER * i + 5, 1].mean()))) for i in range(image.shape[1] // PER_LETTER)
    )


def test_pictures_show_their_labels(source):
    seen = 0
    for i in range(200):
        parts = source.parts(i, np.random.default_rng((source.seed, i)))
        sample = source[i]
        assert sample.text == source.text(i)
        if len({part.word for part in parts}) == 1:
            assert shown(sample.image) == sample.text or len(parts) > 1
            seen += len(parts) == 1
            assert len(sample.image) == len(source.words[parts[0].word].image)
    assert seen > 30


def test_letters_stay_in_place_where_parts_are_shuffled(source):
    """A seam takes `_BLENDED` columns: letters are found by the colour of most of what is theirs."""
    for i in range(200):
        parts = source.parts(i, np.random.default_rng((source.seed, i)))
        if len(parts) > 1 and len({part.word for part in parts}) == 1:
            image, x = source[i].image, 0
            for part in parts:
                text = source.words[part.word].text[part.first : part.last]
                for k, char in enumerate(text):
                    assert abs(float(image[:, x + PER_LETTER * k + 5, 1].mean()) - ord(char)) < 1
                x += PER_LETTER * len(text) - 2


def test_of_all_kinds_and_never_a_word_as_it_is(source):
    own = [word.text for word in source.words]
    plans = [source.parts(i, np.random.default_rng((source.seed, i))) for i in range(1000)]
    one_part = sum(len(parts) == 1 for parts in plans)
    two_words = sum(len({part.word for part in parts}) == 2 for parts in plans)
    assert 300 < one_part < 500
    assert 200 < two_words < 500
    texts = [source.text(i) for i in range(1000)]
    assert all(2 <= len(text) <= 16 for text in texts)
    assert sum(text in own for text in texts) < 20  # two of one word may be joined to it
    assert len(set(texts)) > 300


def test_the_same_in_any_order(source):
    again = Recombined(source.words, source.seed)
    for i in (7, 3, 2**39, 7):
        np.testing.assert_array_equal(again[i].image, source[i].image)
    assert [Recombined(source.words, 4).text(i) for i in range(9)] != [source.text(i) for i in range(9)]


def test_two_words_come_in_the_colours_of_the_first():
    rng = np.random.default_rng(0)
    grey, blue = rng.integers(100, 140, (20, 60, 3)), rng.integers(0, 250, (30, 90, 3)) * [0.2, 0.2, 1]
    words = [Letters(x.astype(np.uint8), "abc", np.linspace(0, x.shape[1], 4).astype(np.int64)) for x in (grey, blue)]
    source, means = Recombined(words, 0), []
    for i in range(300):
        parts = source.parts(i, np.random.default_rng((0, i)))
        if [part.word for part in parts] == [0, 1]:
            image = source[i].image
            means.append(image[:, -3:].reshape(-1, 3).mean(axis=0))
            assert len(image) == 20
    near = [np.abs(mean - 120).max() < 30 for mean in means]
    assert 0.6 < np.mean(near) < 0.95


def test_margins_stay_outside():
    """The ends of a new word have the margins of the words that they come from; between letters there are none."""
    image = np.zeros((20, 50, 3), np.uint8)
    image[:, 10:40, 1] = np.repeat([100, 150, 200], 10)
    source, seen = Recombined([Letters(image, "abc", np.array([10, 20, 30, 40]))], 0), set()
    for i in range(100):
        parts = source.parts(i, np.random.default_rng((0, i)))
        first, last = parts[0], parts[-1]
        green = source[i].image[0, :, 1]
        assert (green[0] == 0) == (first.first == 0)
        assert (green[-1] == 0) == (last.last == 3)
        written = np.flatnonzero(green)
        assert green[written[0] : written[-1] + 1].min() > 0
        seen.add((first.first == 0, last.last == 3))
    assert len(seen) == 4


def test_without_letters():
    for words in ([], [word("ab", 1)]):
        with pytest.raises(DataError, match="no letters were found"):
            Recombined(words, 0)
