"""All experiments by name."""

from collections.abc import Sequence

from wordsight.errors import ConfigError
from wordsight_research.context import controls, designs
from wordsight_research.context.arms import Experiment, spread

EXPERIMENTS: dict[str, Experiment] = {
    one.name: one
    for one in (
        controls.dial(),
        designs.first_three(),
        controls.vlm(),
        designs.integration(),
        designs.fusion(),
        designs.oov(),
        designs.data_size(),
        designs.script(),
        controls.context_stress(),
        controls.degrade(),
        controls.leak(),
        designs.latency(),
        designs.gate(),
        designs.spot(),
        designs.document(),
    )
}
"""Every experiment by name, on the sets and with the recognizers that it names itself."""

FIXED = ("dial", "context-stress", "document")
"""Experiments on what only rendered scenes have."""


def experiment(
    name: str,
    there: Sequence[str] = (),
    sets: Sequence[str] = (),
    recognizers: Sequence[str] = (),
    encoders: Sequence[str] = (),
) -> Experiment:
    """The experiment called `name`.

    Args:
        name: of `EXPERIMENTS`.
        there: real sets that are available.
        sets: those to run it on, "rendered" among them; empty: its own.
        recognizers: those to run it with; empty: its own.
        encoders: scene encoders besides the first, for `vlm`.

    Raises:
        ConfigError: there is none or no such recognizer, it is about rendered scenes alone, or a set is missing.
    """
    if name not in EXPERIMENTS:
        raise ConfigError(f"there is no experiment {name!r}: choose one of {', '.join(EXPERIMENTS)}")
    found = EXPERIMENTS[name]
    if name == "script" and sets:
        found, sets = designs.script_of(sets), ()
    if unknown := [one for one in recognizers if one not in designs.RECOGNIZERS]:
        raise ConfigError(f"no recognizer is called {unknown[0]!r}: choose of {', '.join(designs.RECOGNIZERS)}")
    if encoders:
        if name != "vlm":
            raise ConfigError("only vlm compares scene encoders: give one --encoder")
        found = controls.with_encoders(found, encoders)
    if sets and (name in FIXED or not found.sets):
        raise ConfigError(f"{name} has words of its own: leave --set out")
    if not sets:
        sets = ("rendered", *there) if found.sets == ("*",) else found.sets
        if name == "spot" and "ic15" not in there:
            sets = ("rendered",)
    found = spread(found, sets, recognizers or found.recognizers)
    missing = {arm.source.name for arm in found.arms} - {"rendered", *there}
    if missing:
        raise ConfigError(f"{name} needs scenes of {', '.join(sorted(missing))}: give --data with train/NAME folders")
    return found
