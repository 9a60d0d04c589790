"""Which scenes a recognizer is shown while it is evaluated: the true ones, those of a control, or none."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from wordsight.errors import ConfigError, DataError

if TYPE_CHECKING:
    from wordsight.cli.recognizers import Crop
    from wordsight.data import OpenedSource, Scene
    from wordsight.data.controls import Mode


def encoder_options(scene: str | None, seed: int, encoder: str | None) -> dict[str, Any]:
    """Arguments of `OurReader` for this control; none where the encoder is used as it is.

    Raises:
        ConfigError: there is no such control.
    """
    from wordsight.data.controls import CONTROLS

    if scene is not None and scene not in CONTROLS:
        raise ConfigError(f"there is no control {scene!r}: choose one of {', '.join(CONTROLS)}")
    options: dict[str, Any] = {} if encoder is None else {"encoder": encoder}
    return options | ({"untrained": seed} if scene == "random-encoder" else {})


def control_for(reader: object, scene: str | None) -> "Mode | None":
    """The control under which `reader` reads; None for one that takes no scenes.

    Raises:
        ConfigError: a control is asked for, but the reader takes no scenes.
    """
    from wordsight.cli.recognizers import OurReader

    if isinstance(reader, OurReader) and reader.reader.takes_scenes:
        return cast("Mode", scene or "real")
    if scene is not None:
        raise ConfigError("this model takes no scenes: leave out --scene, or use a model with CLIPTER")
    return None


def whole_scenes(sources: "Mapping[str, OpenedSource]", option: str, limit: int | None) -> "dict[str, Sequence[Scene]]":
    """The first `limit` scenes of each source.

    Raises:
        ConfigError: a source has none, which `option` needs.
        DataError: no word in them is legible.
    """
    from wordsight.data import ScenesSource

    found: dict[str, Sequence[Scene]] = {}
    for name, source in sources.items():
        if not isinstance(source, ScenesSource):
            raise ConfigError(f"{name} has no whole scenes: {option} needs a scenes.jsonl")
        found[name] = source.scenes[:limit]
        if not any(word.legible for scene in found[name] for word in scene.words):
            raise DataError(f"{name} has no legible words in {len(found[name]):,} scenes: there is nothing to score")
    return found


def shown_instead(scenes: Sequence["Scene"], number: int, pixels: "Crop", mode: "Mode", seed: int) -> "Crop | None":
    """The picture that is shown with all words found in scene `number`, whose pixels are given; None for none.

    Raises:
        ConfigError: the control needs to know the word, or there is only one scene to shuffle.
    """
    from wordsight.data.controls import control, shuffled

    if mode == "none":
        return None
    if mode == "shuffle":
        return scenes[shuffled(range(len(scenes)), seed)[number]].load()
    if mode == "mask-word":
        raise ConfigError("mask-word paints over given words: leave out --end-to-end, or choose mask-text")
    return control(pixels, [word.polygon for word in scenes[number].words], 0, mode, seed)
