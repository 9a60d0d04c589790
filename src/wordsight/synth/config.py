"""Settings of rendered words: how often and how strongly each effect occurs."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from wordsight.errors import ConfigError

# Ranges of the settings that are not shares.
_RANGES = {"blur_limit": (0.0, 0.2), "noise_level": (0.0, 40.0), "photo_nearest": (0.05, 1.0)}


@dataclass(frozen=True)
class RenderConfig:
    """Shares of crops (0 to 1) in which something happens, except for three settings whose comments say otherwise.

    They are drawn independently, unless the comment says that they exclude each other. Defaults were fitted to real
    training crops with `benchmarks/realism.py`.

    Raises:
        ConfigError: a setting is out of its range, or the texts or the rotations add up to more than 1.
    """

    # Texts, which exclude each other; the rest are single words.
    empty: float = 0.08
    phrases: float = 0.07
    names: float = 0.03
    brands: float = 0.04
    numbers: float = 0.05
    prices: float = 0.015
    times: float = 0.01
    dates: float = 0.01
    phones: float = 0.015
    addresses: float = 0.02
    plates: float = 0.01
    codes: float = 0.02
    letters: float = 0.055
    """Random letters, with which no dictionary helps."""
    signs: float = 0.02
    """Random printable characters."""
    latin: float = 0.0
    """Of the texts: letters get accents of Latin-1. For charsets that have these letters."""
    short: float = 0.75
    """Of the words from lists: the shorter of two samples, since words in photographs are short."""
    punctuated: float = 0.07
    """Of the words: with punctuation before, after or around."""

    # Setting.
    spaced: float = 0.35
    dancing: float = 0.06
    heavy: float = 0.35
    thin: float = 0.03
    neighbours: float = 0.28
    """Parts of other words beside, above or below."""
    stacks: float = 0.012
    """Upright letters below each other."""

    # Camera. The four rotations exclude each other; all other words are level.
    tilted: float = 0.52
    """By a few degrees."""
    steep: float = 0.13
    """By up to 45 degrees."""
    sideways: float = 0.012
    upside_down: float = 0.01
    sheared: float = 0.35
    climbing: float = 0.35
    perspective: float = 0.40
    curved: float = 0.08
    circular: float = 0.02
    """Of the words of more than 3 letters: set on part of a circle."""
    tight: float = 0.10
    """Of the sides of a box: cutting into the ink, as detectors do."""
    loose: float = 0.25
    """Of the sides of a box: up to a third of the word's height away."""
    roomy: float = 0.0
    """Of the crops: wide margins on all sides, up to the word's height, as of whole labels."""

    # Paint and background.
    outlined: float = 0.10
    hollow: float = 0.02
    shadow: float = 0.12
    extruded: float = 0.03
    gradient: float = 0.08
    textured: float = 0.06
    translucent: float = 0.08
    faint: float = 0.25
    """Letters hardly brighter or darker than the background."""
    photo: float = 0.35
    """On one of the given photographs."""
    wall: float = 0.13
    """On one of them, painted over."""
    photo_nearest: float = 0.35
    """Least share of a photograph's height or width that a crop shows (not a share of crops)."""
    flat: float = 0.0
    """On one colour, as on screens and printed pages."""

    # Light, lens, sensor, software.
    shade: float = 0.28
    glare: float = 0.05
    occluded: float = 0.05
    small: float = 0.50
    """Letters of 8 to 36 pixels, mostly about 14; the others have 20 to 38."""
    defocus: float = 0.55
    blur_limit: float = 0.05
    """Largest standard deviation of defocus, in heights of the letters (not a share)."""
    motion: float = 0.12
    toned: float = 0.75
    negative: float = 0.02
    noisy: float = 0.35
    noise_level: float = 5.0
    """Standard deviation of the noise's strength in grey levels (not a share)."""
    smoothed: float = 0.40
    """Of the noisy: noise from before the blur."""
    sharpened: float = 0.20
    jpeg: float = 0.55

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = _RANGES.get(field.name, (0.0, 1.0))
            if not low <= getattr(self, field.name) <= high:
                raise ConfigError(f"setting {field.name} is {getattr(self, field.name)}: give {low} to {high}")
        for names in (TEXTS, _ROTATIONS, ("photo", "wall"), ("heavy", "thin")):
            if sum(getattr(self, name) for name in names) > 1 + 1e-9:
                raise ConfigError(f"settings {', '.join(names)} add up to more than 1: lower some")

    def with_settings(self, settings: Iterable[str]) -> "RenderConfig":
        """A copy with some settings changed, each given as "setting=value".

        Raises:
            ConfigError: there is no such setting, or it is out of its range.
        """
        known = {field.name for field in fields(self)}
        values = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            if name not in known:
                raise ConfigError(f"no setting is called {name!r}: there are {', '.join(sorted(known))}")
            try:
                values[name] = float(value)
            except ValueError:
                raise ConfigError(f"{setting!r} is not SETTING=NUMBER: write {name}=0.5") from None
        return replace(self, **values)


TEXTS = (
    "empty", "phrases", "names", "brands", "numbers", "prices", "times", "dates", "phones", "addresses", "plates",
    "codes", "letters", "signs",
)  # fmt: skip
"""Settings for texts other than single words; they exclude each other."""
_ROTATIONS = ("tilted", "steep", "sideways", "upside_down")
