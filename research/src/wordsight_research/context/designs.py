"""Which form, where, for which words, how much data, at what cost: the open questions of the paper."""

from collections.abc import Sequence
from dataclasses import replace

from wordsight_research.context.arms import (
    CONTEXT,
    NONE,
    OTHER,
    OWN,
    THREE,
    Arm,
    Contrast,
    Experiment,
    against,
    real_against_shuffled,
    tuned,
)
from wordsight_research.context.data import OWN_LETTERS, Source
from wordsight_research.context.views import View

RECOGNIZERS = ("parseq", "vitstr", "crnn", "trba", "abinet", "clip4str")


def integration() -> Experiment:
    """Early and late, in every recognizer, on every set."""
    early, late, base = Arm("early"), Arm("late", clipter=replace(CONTEXT, place="late")), tuned()
    return Experiment(
        "integration",
        "Early or late, and is the answer the same for all recognizers, in the street and elsewhere?",
        (early, late, base),
        THREE,
        (
            *against([early, late], base),
            Contrast(early.name, OWN.name, late.name, OWN.name),
            *real_against_shuffled([early, late]),
        ),
        ("street",),
        "the order of early and late changes with the seed",
        sets=("*",),
        recognizers=RECOGNIZERS,
        needs=("ic15", "svt", "ic03"),
    )


def fusion() -> Experiment:
    """Gates, forms, numbers of tokens."""
    base = Arm("MH-CA mini, convex, k 2")
    told = [
        base,
        Arm("gate additive", clipter=replace(CONTEXT, gate_form="additive")),
        Arm("gate clamped", clipter=replace(CONTEXT, clamp=True)),
        Arm("gate shut", gate=0.0),
        Arm("gate fixed at 1", gate=1.0),
        Arm("gated attention", clipter=replace(CONTEXT, fusion="gated")),
        Arm("MH-CA base", clipter=replace(CONTEXT, fusion="mh-ca-base")),
        Arm("keys [word; scene]", clipter=replace(CONTEXT, keys="word+scene")),
        Arm("with the crop's box", clipter=replace(CONTEXT, box=True)),
        Arm("k 1", clipter=replace(CONTEXT, kernel=1)),
        Arm("k 4", clipter=replace(CONTEXT, kernel=4)),
        Arm("k 4 without [CLS]", clipter=replace(CONTEXT, kernel=4, keep_cls=False)),
        Arm("k infinite (a bias for each scene)", clipter=replace(CONTEXT, kernel=None)),
        Arm("k infinite, gated attention", clipter=replace(CONTEXT, kernel=None, fusion="gated")),
    ]
    return Experiment(
        "fusion",
        "Which gate, which form and how many scene tokens, for words that training knew and others?",
        (*told, tuned()),
        THREE,
        (*against([*told[1:], tuned()], base), *real_against_shuffled(told)),
        falsified="MH-CA with k infinite, which is one bias for each scene, does as well as all others",
        notes=("One thing changes at a time, from the first row.",),
    )


def oov() -> Experiment:
    """Words that training had, and others."""
    source = Source(unseen=0.4)
    told, base = Arm("context", source=source), tuned(source=source)
    return Experiment(
        "oov",
        "Does context help words that training never had?",
        (told, base),
        THREE,
        (*against([told], base), *real_against_shuffled([told])),
        ("folded", "length", "seen", "kind"),
        "the gain on OOV words vanishes among words of the same length",
        sets=("*",),
        notes=("Of the rendered vocabulary, 40 % are never trained on.",),
    )


def data_size() -> Experiment:
    """Few and many scenes."""
    arms: list[Arm] = []
    contrasts: list[Contrast] = []
    sources = {f"{100 * share:g} % of the scenes": Source(share=share) for share in (0.01, 0.03, 0.1, 0.3, 1.0)}
    sources |= {
        "300 words of few scenes": Source(most=300),
        "300 words of 300 scenes": Source(most=300, per_scene=1),
    }
    for title, source in sources.items():
        told, base = Arm(f"{title}: context", source=source), tuned(source=source, name=f"{title}: fine-tuning only")
        arms += [told, base]
        contrasts += [*against([told], base), *real_against_shuffled([told])]
    many, few = (f"300 words of {scenes} scenes: context" for scenes in ("300", "few"))
    return Experiment(
        "data-size",
        "How does the gain depend on how many words train, and on how many scenes they come from?",
        tuple(arms),
        THREE,
        (*contrasts, Contrast(many, OWN.name, few, OWN.name)),
        falsified="the gain does not depend on the amount of data",
    )


def script() -> Experiment:
    """Words that are not Latin."""
    arms: list[Arm] = []
    contrasts: list[Contrast] = []
    for name in ("", "greek", "cyrillic"):
        source, title = Source(script=name), name or "latin"
        told, base = Arm(f"{title}: context", source=source), tuned(source=source, name=f"{title}: fine-tuning only")
        arms += [told, base]
        contrasts += [*against([told], base), *real_against_shuffled([told])]
    return Experiment(
        "script",
        "Does it help other scripts as much?",
        tuple(arms),
        THREE,
        tuple(contrasts),
        ned=True,
        notes=(
            "Greek and Cyrillic words are the Latin ones letter by letter: the same vocabulary, other shapes. The "
            "rendered-scene encoder knows no language; give an English vision-language model by --encoder.",
        ),
    )


def script_of(sets: Sequence[str]) -> Experiment:
    """The same on real sets, each with a charset of its own training labels."""
    arms: list[Arm] = []
    contrasts: list[Contrast] = []
    for name in sets:
        source = Source() if name == "rendered" else Source(name, script=OWN_LETTERS)
        told, base = Arm(f"{name}: context", source=source), tuned(source=source, name=f"{name}: fine-tuning only")
        arms += [told, base]
        contrasts += [*against([told], base), *real_against_shuffled([told])]
    notes = (
        "Real sets: words that the recognizer's charset can write; a new one writes what its training labels have.",
    )
    return replace(script(), arms=tuple(arms), contrasts=tuple(contrasts), sets=(), notes=notes)


def latency() -> Experiment:
    """What it costs."""
    arms = [replace(tuned(), timed=True)]
    for kernel in (1, 2, 4, None):
        for where in ("early", "late"):
            cfg = replace(CONTEXT, kernel=kernel, place=where, fusion="gated" if kernel is None else CONTEXT.fusion)
            arms.append(Arm(f"{where}, k {kernel or 'infinite'}", clipter=cfg, timed=True))
    return Experiment(
        "latency",
        "What do k and the place of integration cost, and what are they worth?",
        tuple(arms),
        (OWN, OTHER),
        real_against_shuffled(arms),
        notes=("Infinite k is used with gated attention, the others with MH-CA mini.",),
    )


def gate() -> Experiment:
    """What became of the gate."""
    arms = [
        Arm(f"{name} {where}", clipter=replace(CONTEXT, fusion=kind, place=where), watched=True)  # type: ignore[arg-type]
        for name, kind in (("MH-CA mini", "mh-ca-mini"), ("gated attention", "gated"))
        for where in ("early", "late")
    ]
    return Experiment(
        "gate",
        "Does the gate open, when, and which words change by it?",
        (*arms, tuned()),
        THREE,
        (*real_against_shuffled(arms), *(Contrast(a.name, OWN.name, a.name, NONE.name) for a in arms)),
        falsified="the gate ends at about 0",
        changes=True,
    )


def first_three() -> Experiment:
    """What the paper's summary proposes."""
    svt, ic15 = Source("svt"), Source("ic15")
    infinite = replace(CONTEXT, kernel=None, fusion="gated")
    one = Arm("1: SVT, k infinite, gated attention, early", source=svt, clipter=infinite, timed=True)
    two = Arm("2: SVT, k 4, MH-CA mini, early", source=svt, clipter=replace(CONTEXT, kernel=4), timed=True)
    two_gated = Arm("2: SVT, k 4, gated attention, early", source=svt, clipter=replace(infinite, kernel=4), timed=True)
    three = Arm("3: IC15, k infinite, gated attention, late", source=ic15, clipter=replace(infinite, place="late"))
    three_early = Arm("3: IC15, k infinite, gated attention, early", source=ic15, clipter=infinite)
    base = tuned(source=svt, name="SVT, fine-tuning only")
    base_ic15 = tuned(source=ic15, name="IC15, fine-tuning only")
    told = [one, two, two_gated, three, three_early]
    return Experiment(
        "first-three",
        "The first three experiments that the paper's summary proposes, as written.",
        (*told, replace(base, timed=True), base_ic15),
        THREE,
        (
            *against([one, two, two_gated], base),
            *against([three, three_early], base_ic15),
            Contrast(two.name, OWN.name, one.name, OWN.name),
            Contrast(two_gated.name, OWN.name, one.name, OWN.name),
            Contrast(two.name, OWN.name, two_gated.name, OWN.name),
            Contrast(three.name, OWN.name, three_early.name, OWN.name),
            *real_against_shuffled(told),
        ),
        ("repeated",),
        sets=(),
        needs=("svt", "ic15"),
        notes=(
            "Arm 2 of the proposal changes fusion and k at once; `k 4, gated attention` parts the two.",
            "SVT: 5 folds of its training scenes, each word read once by a second stage that did not see its scene.",
        ),
    )


JITTER = (0.0, 0.05, 0.1, 0.2)


def spot() -> Experiment:
    """Words in boxes that are off."""
    told, base = Arm("context"), tuned()
    jittered = tuple(replace(c, name=f"jitter {j:g}, {c.name}", jitter=j) for j in JITTER for c in (OWN, OTHER, NONE))
    pairs = [jittered[i : i + 3] for i in range(0, len(jittered), 3)]
    return Experiment(
        "spot",
        "Does context help words in boxes that were not drawn by hand?",
        (told, base),
        jittered,
        (
            *(Contrast(told.name, p[0].name, told.name, p[1].name) for p in pairs),
            *(Contrast(told.name, p[0].name, base.name, p[0].name) for p in pairs),
        ),
        sets=("ic15",),
        needs=("ic15",),
        spotted=THREE,
        notes=("Jitter: standard deviation of the corners of the labelled boxes, in heights of the word.",),
    )


def document() -> Experiment:
    """Pages instead of places."""
    arms: list[Arm] = []
    contrasts: list[Contrast] = []
    for level in (0.0, 1.0):
        source = Source(dial=level, layout="document")
        told = Arm(f"dial {level:g}: context", source=source)
        masked = Arm(f"dial {level:g}: context, words masked", source=source, view=View("mask-text"))
        base = tuned(source=source, name=f"dial {level:g}: fine-tuning only")
        arms += [told, masked, base]
        contrasts += [*against([told, masked], base), *real_against_shuffled([told, masked])]
    return Experiment(
        "document",
        "Does the page help to read its words?",
        tuple(arms),
        THREE,
        tuple(contrasts),
        ("repeated",),
        notes=("Rendered pages of lines; what a page is about shows in its words alone: masked pages reveal nothing.",),
    )
