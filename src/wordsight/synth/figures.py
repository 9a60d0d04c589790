"""Texts that are made up: numbers, serials, dates, prices, codes, random letters, brands, what displays show."""

import random
import string
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from wordsight.synth.vocabulary import LISTS
from wordsight.text.charset import PRESETS

_DAYS, _MONTHS, _LABELS, _PLATES, _CODES = (LISTS[name] for name in ("days", "months", "labels", "plates", "codes"))
_TABLE = {"9": string.digits, "A": string.ascii_uppercase, "a": string.ascii_lowercase}


def digits(rng: random.Random, count: int) -> str:
    """Digits, mostly with some of them repeated."""
    if rng.random() < 0.35:
        return "".join(rng.choices(string.digits, k=count))
    text = ""
    few = rng.sample(string.digits, rng.randint(2, 6))
    while len(text) < count:
        text += rng.choice(few) * rng.choices((1, 2, 3, 4, 5), (40, 28, 18, 9, 5))[0]
    return text[:count]


def number(rng: random.Random) -> str:
    """Six to eighteen digits, mostly with repetitions; sometimes in groups."""
    run = digits(rng, rng.randint(6, 18))
    form = rng.random()
    if form < 0.75:
        return run
    size = rng.choice((2, 3, 4, 4))
    groups = [run[k : k + size] for k in range(0, len(run), size)]
    return rng.choice((" ", " ", "-", ".", ",")).join(groups)


def serial(rng: random.Random) -> str:
    """Serial numbers of capitals and digits that mix 0 and O, 1 and I, and other look-alikes."""
    letters = rng.choice(("0O1I", "0O1I8B5S2Z", string.ascii_uppercase + string.digits, "0OQD1I", "O0" + string.digits))
    usual = string.ascii_uppercase + string.digits
    one = ["".join(rng.choices(letters if rng.random() < 0.6 else usual, k=rng.randint(2, 6))) for _ in range(4)]
    text = rng.choice(("-", "-", " ", "", "/", ".")).join(one[: rng.randint(1, 4)])
    return f"{rng.choice(LISTS['labels'])}{rng.choice((' ', ': ', ':', '#'))}{text}" if rng.random() < 0.2 else text


def date(rng: random.Random) -> str:
    """Dates and dates with times."""
    day, month, year = rng.randint(1, 31), rng.randint(1, 12), rng.randint(1950, 2039)
    dots = rng.choice(("-", "/", ".", ".", " "))
    short = f"{day:02d}{dots}{month:02d}{dots}{year if rng.random() < 0.7 else f'{year % 100:02d}'}"
    name = _MONTHS[month - 1][: rng.choice((3, 3, 9))]
    day_name = _DAYS[day % 7][: rng.choice((3, 9))]
    text = rng.choice(
        (short, short, f"{year}-{month:02d}-{day:02d}", f"{year}{dots}{month:02d}{dots}{day:02d}",
         f"{day} {name} {year}",
         f"{name} {day}, {year}", f"{day}. {name}", f"{day_name} {day} {name}", f"{day}-{name}-{year % 100:02d}",
         f"{month:02d}/{year}", f"{day_name}, {name} {day}", f"{day}.{month}.", f"{year}–{year + 4}")
    )  # fmt: skip
    text = text.upper() if rng.random() < 0.25 else text
    return f"{text} {time(rng)}" if rng.random() < 0.25 else text


def time(rng: random.Random) -> str:
    """Times of day, time spans, opening hours."""
    hour, minute, second = rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59)
    later = f"{(hour + rng.randint(1, 9)) % 24:02d}:{rng.choice(('00', '15', '30', '45'))}"
    usual = f"{hour:{rng.choice(('02d', '02d', 'd'))}}:{minute:02d}"
    half = rng.choice(("am", "pm", " am", " pm", " AM", "AM", " PM", "PM", " a.m.", " Uhr", "h", " h"))
    return rng.choice(
        (usual, usual, usual, f"{usual}:{second:02d}", f"{hour % 12 + 1}:{minute:02d}{half}",
         f"{hour:02d}.{minute:02d}", f"{hour}:00-{later}", f"{hour:02d}:00 – {later}", f"{hour:02d}h{minute:02d}",
         f"{rng.choice(_DAYS)[:3]} {hour}:00 - {later}", f"{usual}.{rng.randint(0, 99):02d}")
    )  # fmt: skip


def ip(rng: random.Random) -> str:
    """IPv4 and MAC addresses, with ports and subnets, and version numbers."""
    parts = [rng.choice((10, 192, 172, 127, rng.randint(1, 255)))]
    parts += [rng.choice((0, 1, 168, rng.randint(0, 255))) for _ in range(3)]
    text, form = ".".join(map(str, parts)), rng.random()
    if form < 0.15:
        return rng.choice(":-").join(f"{rng.randint(0, 255):02X}" for _ in range(6))
    if form < 0.25:
        return f"{rng.choice(('v', 'V', 'ver. ', ''))}{parts[1] % 20}.{parts[2] % 30}.{parts[3]}"
    return text + rng.choice(("", "", "", ":80", ":8080", f":{rng.randint(1, 65535)}", "/24", "/16"))


def unit(rng: random.Random) -> str:
    """Amounts with their units, fractions and powers."""
    unit, form = rng.choice(LISTS["units"]), rng.random()
    amount = str(rng.randint(0, 10 ** rng.randint(1, 4)))
    if form < 0.15:
        amount = rng.choice(("", "", f"{rng.randint(1, 9)}", f"{rng.randint(1, 9)} ")) + rng.choice("½½½¼¼¾⅓⅔⅛")
    elif form < 0.4:
        amount += f"{rng.choice('.,')}{rng.randint(0, 99)}"
    elif form < 0.5:
        amount = rng.choice(("-", "+", "±", "<", ">", "~", "≤", "≥", "Ø ")) + amount
    elif form < 0.6:
        end = rng.choice(("", " cm", " mm", "m", "×" + amount))
        return f"{amount}{rng.choice(('×', 'x', ' × ', ' x '))}{rng.randint(1, 99)}{end}"
    text = f"{amount}{rng.choice((' ', ''))}{unit}"
    if rng.random() < 0.15:
        text = f"{rng.choice(('Temp.', 'max.', 'min.', 'Area', 'Net', 'Wt.', 'ca.', 'Vol.', 'Ø', 'pH'))} {text}"
    return text


def price(rng: random.Random) -> str:
    """Prices with a currency sign before or after."""
    whole = rng.randint(0, 10 ** rng.choices((1, 2, 3, 4, 6), (25, 35, 20, 15, 5))[0])
    amount, form = str(whole), rng.random()
    if form < 0.6:
        amount += rng.choice("..,") + rng.choice(("00", "50", "90", "95", "99", "49", f"{rng.randint(0, 99):02d}"))
    elif form < 0.75:
        amount = f"{whole:,}" if rng.random() < 0.5 else f"{whole:,}".replace(",", rng.choice((".", " ")))
    text = rng.choice(LISTS["front"]) + amount if rng.random() < 0.6 else amount + rng.choice(LISTS["back"])
    if rng.random() < 0.15:
        before = ("only", "from", "ab", "now", "nur", "ONLY", "Total", "TOTAL", "was", "2 for", "à", "-")
        text = f"{rng.choice(before)} {text}"
    return text


def display(rng: random.Random) -> str:
    """Texts of seven-segment displays."""
    form = rng.random()
    run = digits(rng, rng.randint(1, 6))
    if form < 0.5:
        cut = rng.randint(0, len(run) - 1) if len(run) > 1 else 0
        text = f"{run[:cut] or '0'}.{run[cut:]}"
    elif form < 0.68:
        text = f"{rng.randint(0, 23):{rng.choice(('02d', 'd'))}}:{rng.randint(0, 59):02d}"
        text += rng.choice(("", "", f":{rng.randint(0, 59):02d}"))
    elif form < 0.95:
        text = run
    else:
        return rng.choice(("Err", "Lo", "HI", "OFF", "End", "E-01", "Hi", "CAL", "-", "PAUSE", "OPEn"))
    text = f"-{text}" if rng.random() < 0.12 else text
    return text + rng.choices(("", "°C", "°", " C", "°F"), (86, 5, 4, 3, 2))[0]


def stamp(rng: random.Random) -> str:
    """Texts printed in dots on packages: lots, dates, codes."""
    form = rng.random()
    code = digits(rng, rng.randint(4, 9)) if form < 0.4 else serial(rng)
    sign = rng.choice("../- ")
    date = f"{rng.randint(1, 31):02d}{sign}{rng.randint(1, 12):02d}{sign}{rng.randint(2019, 2035)}"
    month = f"{rng.randint(1, 31):02d} {rng.choice(LISTS['months'])[:3].upper()} {rng.randint(19, 35)}"
    text = rng.choice((date, month, code, date, f"{date} {rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"))
    if rng.random() < 0.6:
        text = f"{rng.choice(LISTS['labels'])}{rng.choice((' ', ' ', ':', ': '))}{text}"
    return text.upper()


def phone(rng: random.Random) -> str:
    """Telephone numbers."""
    sign = rng.choice((" ", "-", ".", "", " "))
    groups = rng.choice(((3, 3, 4), (3, 4), (2, 4, 4), (4, 4), (4, 3, 3), (2, 2, 2, 2, 2), (5, 6), (3, 7)))
    text = sign.join(digits(rng, n) for n in groups)
    return rng.choice(
        (text, text, f"+{rng.randint(1, 99)} {text}", f"({digits(rng, 3)}) {text}", f"Tel. {text}", f"Tel: {text}",
         f"0{text}", f"Fax {text}", f"+{rng.randint(1, 99)}{sign}{text}")
    )  # fmt: skip


def few_digits(rng: random.Random) -> str:
    """Numbers of houses, rooms, buses: one to eight digits, mostly two or three; sometimes with a unit."""
    if rng.random() < 0.15:
        return unit(rng)
    length = rng.choices((1, 2, 3, 4, 5, 6, 8), (20, 28, 22, 16, 6, 5, 3))[0]
    return "".join(rng.choices(string.digits, k=length))


def _filled(rng: random.Random, patterns: Sequence[str]) -> str:
    return "".join(rng.choice(_TABLE[c]) if c in _TABLE else c for c in rng.choice(patterns))


def _length(rng: random.Random, most: int) -> int:
    """A length from 1 to `most`, short ones more often."""
    return min(rng.randint(1, most), rng.randint(1, most + 3))


def letters(rng: random.Random) -> str:
    """Random letters and digits, mostly capitals, with which no dictionary helps."""
    sets = (string.ascii_uppercase, string.ascii_lowercase, string.ascii_uppercase + string.digits, PRESETS["62"])
    text = "".join(rng.choices(rng.choices(sets, (40, 40, 12, 8))[0], k=_length(rng, 11)))
    return text.capitalize() if rng.random() < 0.25 else text


def characters(rng: random.Random) -> str:
    """Random printable characters."""
    return "".join(rng.choices(PRESETS["94"], k=_length(rng, 10)))


def brand(rng: random.Random) -> str:
    """An invented brand name: pronounceable, in no dictionary, capitalised as brands are."""
    count = rng.choices((1, 2, 3), (30, 50, 20))[0]
    name = "".join(rng.choices(LISTS["begins"], k=count)) + rng.choice(LISTS["ends"])
    form = rng.random()
    if form < 0.35:
        return name.upper()
    if form < 0.65:
        return name.capitalize()
    if form < 0.75:
        return name
    if form < 0.85:
        return name.capitalize() + rng.choice(LISTS["parts"])
    if form < 0.92:
        return rng.choice("eiwx") + name.capitalize()
    return name.capitalize() + rng.choice((" & Co", "'s", "!", ".com", "-X", "+", " Inc.", " Ltd"))


FIGURES: Mapping[str, Callable[[random.Random], str]] = {
    "numbers": number, "serials": serial, "dates": date, "times": time, "ips": ip, "units": unit, "prices": price,
    "displays": display, "stamps": stamp, "phones": phone, "few_digits": few_digits, "letters": letters,
    "characters": characters, "plates": partial(_filled, patterns=_PLATES), "codes": partial(_filled, patterns=_CODES),
    "brands": brand,
}  # fmt: skip
"""The kinds of these texts and the functions that draw them."""
