"""What is written where: the words of places, and a dial for how much a place reveals about its words."""

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from wordsight.errors import ConfigError, DataError

Vocabularies: TypeAlias = Mapping[str, tuple[str, ...]]
"""The words of every place."""

# No word is in two lists, and all lists have as many words of each length (2 of 3 letters, 5 of 4, 7 of 5, 8 of 6, 6 of
# 7, 4 of 8): what a place tells about a word it does not tell by the word's length.
_LISTS = {
    "cafe": """
    tea mug iced brew foam chai soya latte mocha cocoa juice beans roast syrup filter coffee brunch muffin cookie
    saucer teapot drinks barista vanilla toasted pancake brownie granola espresso lemonade smoothie sandwich
    """,
    "bakery": """
    rye bun loaf oven roll tart cake bread wheat dough yeast crust flour grain pastry danish eclair butter raisin
    walnut sliced sesame pretzel brioche crumble biscuit custard strudel baguette ciabatta focaccia pastries
    """,
    "pharmacy": """
    flu gel pill dose skin care zinc cough drops fever nasal spray wound gauze tablet relief clinic lotion remedy
    herbal dental throat syringe vaccine bandage plaster aspirin vitamin ointment headache capsules medicine
    """,
    "station": """
    via bus rail line tram exit gate train metro track north coach fares delay ticket depart direct subway signal
    suburb return lounge arrival delayed express sleeper luggage railway platform transfer schedule terminus
    """,
    "road": """
    icy dip stop slow bump toll lane yield merge speed limit curve steep right detour bridge tunnel bypass danger
    narrow hazard closed merging highway cyclist bicycle traffic caution motorway flooding crossing priority
    """,
    "shop": """
    bag hat coat shoe wool silk belt dress jeans skirt boots scarf shirt denim jacket blouse outlet cotton gloves
    wallet medium petite sweater fashion bargain leather sandals handbag clothing discount boutique designer
    """,
    "office": """
    fax law desk file memo data jobs staff floor legal audit tower level badge agenda copier budget lawyer notary
    folder report server meeting manager printer scanner invoice payroll director contract advisers partners
    """,
    "hotel": """
    spa bed pool twin king safe stay sauna towel lobby guest queen check valet hostel resort double palace pillow
    shower deluxe luxury checkin minibar vacancy bellboy laundry balcony checkout elevator corridor bathrobe
    """,
    "museum": """
    art war past hall tour vase icon ivory mummy egypt roman relic guide sword fossil statue modern greece viking
    bronze marble mosaic exhibit gallery ancient history pharaoh curator painting heritage dinosaur medieval
    """,
    "market": """
    ham egg fish meat pork beef lamb apple pears plums lemon melon peach onion carrot potato tomato celery garlic
    ginger banana orange cabbage lettuce spinach pumpkin parsley mangoes zucchini broccoli cucumber cherries
    """,
    "garage": """
    gas air tyre fuel pump wash part motor brake wheel spare wiper valve spark diesel petrol engine clutch repair
    garage bumper piston gearbox exhaust battery service premium charger mechanic bodywork radiator unleaded
    """,
    "school": """
    abc lab math book exam term bell class pupil grade essay chalk ruler tutor crayon marker lesson pencil eraser
    campus kinder recess teacher student algebra physics biology grammar homework geometry spelling alphabet
    """,
}
WORDS: dict[str, tuple[str, ...]] = {place: tuple(text.split()) for place, text in _LISTS.items()}
"""Twelve places with 32 words each, small letters."""


def load_vocabularies(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Reads words of places from a UTF-8 file with lines of place TAB word; `#` and a space begin a comment.

    Raises:
        DataError: the file cannot be read, a line is something else, or there are fewer than two places.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text in UTF-8 ({error.__class__.__name__})") from None
    found: dict[str, dict[str, None]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("# "):
            continue
        place, _, word = (part.strip() for part in line.partition("\t"))
        if not place or not word or word.split() != [word]:
            raise DataError(f"{path}: line {number} is not 'place TAB word' with one word: {line[:40]!r}")
        found.setdefault(place, {})[word] = None
    if len(found) < 2:
        raise DataError(f"{path}: words of {len(found)} place(s): give those of another, too")
    return {place: tuple(words) for place, words in found.items()}


def one_word_each(vocabularies: Vocabularies) -> dict[str, tuple[str, ...]]:
    """One word for every place, of a middling length: who knows the place knows the word."""
    return {place: (words[len(words) // 2],) for place, words in vocabularies.items()}


def draw_word(rng: random.Random, place: str, vocabularies: Vocabularies, informative: float) -> str:
    """One word: with probability `informative` one of the place's own, else one of any place's, all places alike.

    How often a word is drawn over all places does not depend on `informative`. Nor does the state of `rng` afterwards,
    so that most words stay where the dial is turned a little.
    """
    chance, elsewhere, spot = rng.random(), rng.random(), rng.random()
    words = vocabularies[place if chance < informative else list(vocabularies)[int(elsewhere * len(vocabularies))]]
    return words[int(spot * len(words))]


def information(vocabularies: Vocabularies, informative: float) -> float:
    """Bits of information that a place gives about each of its words.

    It is the mutual information of place and word, places being alike.

    With the built-in words 0 at 0, 1.00 at 0.5 and log2(12) = 3.58 at 1.

    Raises:
        ConfigError: `informative` is not between 0 and 1.
    """
    if not 0 <= informative <= 1:
        raise ConfigError(f"informative is {informative}: give a number from 0 to 1")
    overall: dict[str, float] = {}
    for words in vocabularies.values():
        for word in words:
            overall[word] = overall.get(word, 0.0) + 1 / len(words) / len(vocabularies)
    bits = 0.0
    for words in vocabularies.values():
        own = set(words)
        for word, share in overall.items():
            here = informative * (word in own) / len(own) + (1 - informative) * share
            if here > 0:
                bits += here * math.log2(here / share) / len(vocabularies)
    return bits
