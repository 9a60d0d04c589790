"""Words that no list has: names as brands have them, and letters with the accents of Latin-1."""

import random

_BEGINS = (
    "a", "al", "am", "ar", "ba", "be", "bo", "bri", "ca", "cel", "chi", "co", "cra", "da", "del", "di", "do", "e", "el",
    "eu", "fa", "fi", "flo", "fu", "ga", "gi", "glo", "go", "gra", "ha", "hy", "i", "in", "ja", "jo", "ka", "ki", "klo",
    "ko", "la", "le", "li", "lo", "lu", "ma", "me", "mi", "mo", "na", "ne", "ni", "no", "o", "om", "pa", "pe", "phi",
    "plu", "po", "pri", "qua", "ra", "re", "ri", "ro", "sa", "se", "shi", "sky", "so", "spa", "ste", "su", "swi", "ta",
    "te", "tri", "tu", "u", "va", "ve", "vi", "vo", "wi", "xa", "xe", "ya", "yo", "za", "ze", "zo",
)  # fmt: skip
_ENDS = (
    "bit", "by", "ca", "co", "con", "da", "der", "dex", "do", "fy", "ga", "go", "is", "ka", "ko", "la", "let", "lia",
    "lo", "ly", "ma", "max", "mo", "na", "nex", "ni", "no", "on", "pa", "po", "ra", "rex", "ro", "san", "so", "sy",
    "ta", "tek", "ti", "to", "tra", "va", "vo", "x", "xo", "xx", "ya", "z", "za", "zen", "zo", "zz",
)  # fmt: skip
_PARTS = "Tech Co Net Lab Soft Mart Pay Go Bank Fit Air Car One Plus 24 7".split()  # noqa: SIM905
_ACCENTS = {
    "a": "àáâãäåæ", "c": "ç", "d": "ð", "e": "èéêë", "i": "ìíîï", "n": "ñ", "o": "òóôõöø", "s": "ß", "t": "þ",
    "u": "ùúûü", "y": "ýÿ",
}  # fmt: skip
_WORDS = """
café straße über señor façade naïve garçon crème brûlée téléphone hôtel forêt pâtisserie entrée réservé interdit à niño
mañana año cafés döner für tür öffnung bäckerei groß straßenbahn möbel fußball zürich münchen köln genève málaga córdoba
são joão pão açúcar não informação københavn smørrebrød århus tromsø malmö göteborg sjö öppet stängt pääsy kevät città
caffè perché più lunedì þór reyðar ísland
""".split()  # noqa: SIM905  (as in `lexicon`)


def brand(rng: random.Random) -> str:
    """A name as companies invent them: sayable, in no dictionary, cased in their ways."""
    count = rng.choices((1, 2, 3), (30, 50, 20))[0]
    name = "".join(rng.choices(_BEGINS, k=count)) + rng.choice(_ENDS)
    form = rng.random()
    if form < 0.35:
        return name.upper()
    if form < 0.65:
        return name.capitalize()
    if form < 0.75:
        return name
    if form < 0.85:
        return name.capitalize() + rng.choice(_PARTS)
    if form < 0.92:
        return rng.choice("eiwx") + name.capitalize()
    return name.capitalize() + rng.choice((" & Co", "'s", "!", ".com", "-X", "+", " Inc.", " Ltd"))


def accented(rng: random.Random, text: str) -> str:
    """`text` with accents on some of its letters, or one of a few European words instead, each in the case given."""
    if text.isalpha() and rng.random() < 0.4:
        word = rng.choice(_WORDS)
        # There is no capital of the sharp s or of the y with two dots in Latin-1.
        if text.isupper() and not {*"ßÿ"} & {*word}:
            return word.upper()
        return word.capitalize() if text[0].isupper() else word
    places = [k for k, c in enumerate(text) if c.lower() in _ACCENTS]
    if not places:
        return text
    letters = list(text)
    for k in rng.sample(places, min(len(places), rng.choice((1, 1, 1, 2, 3)))):
        found = rng.choice(_ACCENTS[letters[k].lower()])
        letters[k] = found if letters[k].islower() or found in "ßÿ" else found.upper()
    return "".join(letters)
