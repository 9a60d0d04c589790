"""Is it the scene that helps, and only it? The controls that a sceptic asks for."""

from collections.abc import Sequence
from dataclasses import replace

from wordsight_research.context.arms import (
    CONTEXT,
    HARD,
    NONE,
    OTHER,
    OWN,
    THREE,
    Arm,
    Condition,
    Contrast,
    Experiment,
    against,
    real_against_shuffled,
    tuned,
    untuned,
)
from wordsight_research.context.damage import Damage
from wordsight_research.context.data import Source
from wordsight_research.context.views import View

_CAUSE = "The contrast of a word's own with another's scene, on the same trained model, is what the scene itself does."


def dial() -> Experiment:
    """The scene's information is turned up from zero."""
    arms: list[Arm] = []
    contrasts: list[Contrast] = []
    for level in (0.0, 0.5, 1.0):
        source = Source(dial=level)
        base = tuned(source=source, name=f"dial {level:g}, fine-tuning only")
        masked = Arm(f"dial {level:g}, words masked", source=source, view=View("mask-text"))
        shown = Arm(f"dial {level:g}, words visible", source=source)
        first = untuned(source=source, name=f"dial {level:g}, stage one")
        arms += [masked, shown, base, first]
        contrasts += [*real_against_shuffled([masked, shown]), *against([masked, shown], base)]
        contrasts += [Contrast(masked.name, NONE.name, first.name, NONE.name)]
    return Experiment(
        "dial",
        "Does the gain grow with what the scene reveals about its words, and is it zero if it reveals nothing?",
        tuple(arms),
        THREE,
        tuple(contrasts),
        falsified="a gain at dial 0 with the words masked, or none at dial 1",
        notes=(_CAUSE,),
    )


def vlm() -> Experiment:
    """What the encoder knows."""
    base, first, own = tuned(), untuned(), Arm("scene encoder")
    others = [
        Arm("random encoder", encoder="random"),
        Arm("shuffled scenes", view=View(of="other")),
        Arm("one picture for all", view=View("constant")),
        Arm("no scene, same parameters", view=View("gray"), clipter=replace(CONTEXT, keys="word+scene")),
        base,
    ]
    return Experiment(
        "vlm",
        "Is it what the encoder knows that helps?",
        (own, *others, first),
        THREE,
        (
            *(Contrast(own.name, OWN.name, other.name, OWN.name) for other in others),
            *real_against_shuffled([own, others[0]]),
            *(Contrast(own.name, NONE.name, other.name, NONE.name) for other in (base, first)),
        ),
        ("repeated", "street"),
        "the scene encoder is no better than a random one, or than fine-tuning only",
        sets=("*",),
        notes=(
            "`no scene, same parameters`: keys and values are the word's own features and one grey picture for all.",
            "Other encoders are arms of their own: --encoder may be repeated.",
        ),
    )


def with_encoders(experiment: Experiment, encoders: Sequence[str]) -> Experiment:
    """`vlm` with more encoders."""
    arms = [Arm(f"scene encoder {name}", encoder=name) for name in encoders]
    contrasts = [Contrast("scene encoder", OWN.name, arm.name, OWN.name) for arm in arms]
    more = (*contrasts, *real_against_shuffled(arms))
    return replace(experiment, arms=(*experiment.arms, *arms), contrasts=(*experiment.contrasts, *more))


MISLED = Condition("misleading scene", "misleading")


def context_stress() -> Experiment:
    """Scenes that suggest another word."""
    told = [Arm("words visible"), Arm("words masked", view=View("mask-text"))]
    grey = Condition("grey picture", "own", "gray")
    clean = tuple(replace(c, name=f"{c.name}, clean crop", damage=Damage("clean")) for c in (OWN, MISLED))
    return Experiment(
        "context-stress",
        "How often does a misleading scene overwrite what is printed?",
        (*told, tuned()),
        (OWN, MISLED, OTHER, grey, NONE, *clean),
        tuple(
            Contrast(arm.name, second.name, arm.name, first.name)
            for arm in told
            for first, second in ((OWN, MISLED), (NONE, MISLED), (NONE, OTHER), clean)
        ),
        falsified="misleading scenes cost as many words as matching ones win",
        notes=("A misleading scene is that of the place that has the word most like the printed one: its rival.",),
    )


def degrade() -> Experiment:
    """Crops from good to hopeless."""
    levels = {"blur": (0.05, 0.1, 0.15, 0.22), "small": (12, 8, 6, 4), "occlude": (0.2, 0.4, 0.6), "jpeg": (30, 10, 3)}
    damages = [Damage("clean"), *(Damage(kind, level) for kind, many in levels.items() for level in many)]  # type: ignore[arg-type]
    conditions, contrasts = [], []
    told, base = Arm("context", damage=HARD), replace(tuned(), damage=HARD)
    for damage in damages:
        pair = [replace(c, name=f"{damage}, {c.name}", damage=damage) for c in (OWN, OTHER)]
        conditions += pair
        contrasts += [Contrast("context", pair[0].name, "context", pair[1].name)]
        contrasts += [Contrast("context", pair[0].name, base.name, pair[0].name)]
    return Experiment(
        "degrade",
        "Does context help most where the crop says least?",
        (told, base),
        tuple(conditions),
        tuple(contrasts),
        falsified="the gain does not depend on how bad the crop is",
    )


def leak() -> Experiment:
    """The scene without its words."""
    seen = tuple(Condition(f"own scene, {mode}", mode=mode) for mode in ("real", "mask-word", "mask-text"))
    conditions = (*seen, OTHER, NONE)
    told = [Arm(f"trained on {mode}", view=View(mode)) for mode in ("real", "mask-word", "mask-text")]
    return Experiment(
        "leak",
        "Is it the scene, or a second look at the words?",
        (*told, tuned()),
        conditions,
        (
            *(Contrast(arm.name, c.name, arm.name, OTHER.name) for arm in told for c in seen),
            *(Contrast(arm.name, seen[0].name, arm.name, c.name) for arm in told[:1] for c in seen[1:]),
        ),
        ("repeated",),
        "the gain is gone when the word is painted over",
    )
