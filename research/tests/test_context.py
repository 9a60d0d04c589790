import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from wordsight.data.controls import CONTROLS
from wordsight.errors import ConfigError
from wordsight.models import checkpoint
from wordsight.text import Charset
from wordsight_research.context import speed
from wordsight_research.context.arms import (
    CONTEXT,
    NONE,
    OTHER,
    OWN,
    Arm,
    Condition,
    Contrast,
    Experiment,
    condition_for,
    spread,
)
from wordsight_research.context.damage import Damage
from wordsight_research.context.data import SCRIPTS, Source, held_back, spelled, training_part
from wordsight_research.context.experiments import EXPERIMENTS, experiment
from wordsight_research.context.lab import Laboratory, Settings
from wordsight_research.context.measure import Measured
from wordsight_research.context.recognizers import LONGEST, new_recognizer, visual_branch
from wordsight_research.context.report import plot, sides, to_dict, to_markdown
from wordsight_research.context.run import run_experiment
from wordsight_research.context.views import View, rivals, scene_views, told

QUICK = Settings(
    steps=3,
    steps_one=3,
    batch_size=4,
    train_scenes=24,
    test_scenes=12,
    encoder_scenes=20,
    encoder_steps=2,
    loose_words=30,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("context")


@pytest.fixture
def lab(folder):
    torch.set_num_threads(1)
    return Laboratory(QUICK, folder)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_is_declared_fits_together(name):
    found = experiment(name, ["ic03", "ic15", "svt"])
    names = [arm.name for arm in found.arms]
    assert len(set(names)) == len(names)
    assert found.question.endswith(("?", "."))
    conditions = [c.name for c in found.conditions]
    assert len(set(conditions)) == len(conditions)
    for contrast in found.contrasts:
        for arm, condition in ((contrast.arm, contrast.condition), (contrast.other, contrast.other_condition)):
            assert condition_for(found.arm(arm), condition, found.conditions) in conditions
    for arm in found.arms:
        for condition in found.conditions:
            assert condition.view(arm).mode in CONTROLS
    rows = [sides(found, contrast) for contrast in found.contrasts]
    assert len(set(rows)) == len(rows)  # a reader can tell them apart


def test_rows_say_how_words_were_shown():
    found = experiment("degrade")
    assert ("context: blur 0.1, own scene", "fine-tuning only: blur 0.1") in [sides(found, c) for c in found.contrasts]
    found = experiment("vlm")
    rows = [sides(found, c) for c in found.contrasts]
    assert ("scene encoder", "fine-tuning only") in rows
    assert ("scene encoder: no scene", "fine-tuning only") in rows
    assert ("scene encoder: own scene", "another's scene") in rows


def test_experiments_go_to_other_sets_and_recognizers():
    found = experiment("integration", ["ic15"], recognizers=["crnn", "parseq"])
    assert {(a.source.name, a.recognizer) for a in found.arms} == {
        (s, r) for s in ("rendered", "ic15") for r in ("crnn", "parseq")
    }
    assert "ic15, crnn: late" in [a.name for a in found.arms]
    assert len(experiment("vlm", encoders=["a", "b"]).arms) == len(experiment("vlm").arms) + 2
    with pytest.raises(ConfigError, match="needs scenes of ic15, svt"):
        experiment("first-three")
    with pytest.raises(ConfigError, match="words of its own"):
        experiment("dial", ["ic15"], ["ic15"])
    with pytest.raises(ConfigError, match="choose one of dial"):
        experiment("magic")


def test_an_arm_that_is_told_nothing_is_read_once():
    conditions = (OWN, OTHER, replace(OWN, name="blurred", damage=Damage("blur", 0.1)))
    bare = Arm("bare", clipter=None)
    assert condition_for(bare, OTHER.name, conditions) == OWN.name
    assert condition_for(bare, "blurred", conditions) == "blurred"
    assert condition_for(Arm("told"), OTHER.name, conditions) == OTHER.name


def test_rendered_vocabulary_is_held_back_by_word_not_by_chance(lab):
    train, test = lab.words(Source(dial=0.0))[0]
    source = Source(dial=0.0, unseen=0.5)
    part = training_part(train, source, lambda label: True)
    assert not any(held_back(label, 0.5) for label in part.labels)
    assert any(held_back(label, 0.5) for label in test.labels)
    assert not {s.id for s in train.scenes} & {s.id for s in test.scenes}


def test_few_scenes_or_few_words_of_each(lab):
    train, _ = lab.words(Source(dial=0.0))[0]
    half = training_part(train, Source(share=0.5, unseen=0), lambda label: True)
    third = training_part(train, Source(share=0.3, unseen=0), lambda label: True)
    assert len(set(half.of.tolist())) == 12
    assert set(third.of.tolist()) < set(half.of.tolist())
    one_each = training_part(train, Source(per_scene=1, most=9, unseen=0), lambda label: True)
    assert len(one_each) == len(set(one_each.of.tolist())) == 9


def test_other_scenes_are_never_the_own_and_misleading_ones_are_of_another_place(lab):
    _, test = lab.words(Source(dial=0.0))[0]
    other = scene_views(test, View("mask-text", "other"), 3)
    assert all(v.scene is not s and v.mode == "mask-text" for v, s in zip(other, test.scenes, strict=True))
    together = {}
    for of, view in zip(test.of.tolist(), other, strict=True):
        together.setdefault(of, set()).add(view.scene.id)
    assert all(len(ids) == 1 for ids in together.values())
    wrong = scene_views(test, View("real", "misleading"))
    for view, scene, label, (place, word) in zip(wrong, test.scenes, test.labels, rivals(test), strict=True):
        assert view.scene.id.endswith(f"-{place}")
        assert not scene.id.endswith(f"-{place}")
        assert word != label.casefold()
    assert scene_views(test, View("none")) == [None] * len(test)


def test_words_of_a_scene_share_its_tokens(lab):
    _, test = lab.words(Source(dial=0.0))[0]
    arm = Arm("x")
    all_told = lab.told(arm, test, View(), 0)
    assert len(all_told.tokens) == len(set(test.of.tolist()))
    masked = lab.told(arm, test, View("mask-word"), 0)
    assert len(masked.tokens) == len(test)
    context = all_told.rows([3, 0, 3])
    assert torch.equal(context.tokens[context.index[0]], all_told.tokens[all_told.index[3]].float())
    assert context.index[0] == context.index[2]
    none = told(test, View("none"), None, 7)  # asks no encoder
    assert none.present.sum() == 0
    assert none.tokens.shape == (1, 1, 7)


@pytest.mark.parametrize("kind", ["clean", "blur", "small", "occlude", "jpeg", "blank", "any"])
def test_damage_is_a_function_of_its_dice(kind):
    crop = np.random.default_rng(0).integers(0, 255, (20, 60, 3), dtype=np.uint8)
    level = {"jpeg": 10, "small": 5}.get(kind, 0.2)
    one, two = (Damage(kind, level)(crop, np.random.default_rng(4)) for _ in range(2))
    assert (one == two).all()
    assert one.dtype == np.uint8
    assert kind in ("clean", "any") or one.shape != crop.shape or (one != crop).any()


def test_other_scripts_have_letters_of_their_own():
    for name, letters in SCRIPTS.items():
        assert len(letters) == len(set(letters)) == 26, name
        assert len(letters.upper()) == 26
        assert letters.upper().lower() == letters
    assert spelled("cafe", "cyrillic") == "цафе"


def tiny(*arms):
    contrasts = tuple(Contrast(a.name, OWN.name, a.name, OTHER.name) for a in arms if a.clipter)
    return Experiment("tiny", "Does it run?", arms, (OWN, OTHER, NONE), contrasts, ("length", "repeated", "street"))


def test_an_experiment_runs_and_goes_on(folder, monkeypatch):
    monkeypatch.setattr(speed, "WORDS_PER_IMAGE", (1, 4))
    monkeypatch.setattr(speed, "_REPEATS", 1)
    arms = (Arm("told", timed=True), Arm("bare", clipter=None), Arm("first", clipter=None, tuned=False))
    said = []
    lab = Laboratory(QUICK, folder, said.append)
    first = run_experiment(tiny(*arms), lab, 1)
    assert any("stage one: parseq" in line for line in said)
    trained = sorted((folder / "trained").glob("*/readings.json"))
    said.clear()
    second = run_experiment(tiny(*arms), Laboratory(QUICK, folder, said.append), 2)
    assert [r.texts for r in second.runs["told"]][:1] == [r.texts for r in first.runs["told"]]
    assert sorted(said)[:1] == [line for line in sorted(said) if "bare, seed 1" in line]
    assert not any("seed 0" in line or "stage one:" in line or "rendering" in line for line in said)
    assert len(sorted((folder / "trained").glob("*/readings.json"))) == len(trained) + 3

    measured = Measured(second)
    report = to_dict(measured)
    assert json.loads(json.dumps(report)) == report
    text = to_markdown(measured)
    n = measured.scores[0].n
    assert f"| told | own scene | {100 * measured.scores[0].mean:.1f} ± " in text
    assert f"| {n}/{n} | 2 |" in text
    assert f"| 0/{n} | 2 |" in text  # no scene
    for part in (
        "IV | OOV",
        "once in the scene",
        "street",
        "## Gates",
        "Milliseconds per word",
        "rendered-scene encoder",
    ):
        assert part in text
    assert {"alone", "cached", "cold"} == set(second.runs["told"][0].speed["4"])
    low, middle, high = second.runs["told"][0].speed["4"]["cold"]
    assert 0 < low <= middle <= high
    assert "threads of PyTorch" in second.machine in text
    assert not any("speed" in json.loads(file.read_text()) for file in trained)  # times are not kept
    assert len(report["arms"][0]["vocabulary"][0]) == 64
    assert plot(measured, folder / "tiny.png")
    assert (folder / "tiny.png").stat().st_size > 1000


def test_arms_are_timed_in_turns(monkeypatch):
    """What else the machine does then falls on all of them alike."""
    took = []
    monkeypatch.setattr(speed, "_ways", lambda name: [(4, "alone", lambda: took.append(name))])
    clock = iter([0, 4, 0, 40, 0, 8, 0, 80, 0, 12, 0, 120])  # ms of 3 rounds of a and b
    monkeypatch.setattr(speed, "_REPEATS", 3)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock) / 1000)
    found = speed.speeds({"a": "a", "b": "b"})
    assert took == ["a", "b"] * 4  # the first round is not counted
    assert found == {"a": {"4": {"alone": (1.5, 2.0, 2.5)}}, "b": {"4": {"alone": (15.0, 20.0, 25.0)}}}


def test_a_budget_that_is_used_up_begins_nothing(folder):
    said = []
    lab = Laboratory(replace(QUICK, steps=2), folder, said.append)
    out = run_experiment(tiny(Arm("told")), lab, 1, budget=-1)
    assert out.runs["told"] == ()
    assert "budget" in said[-1]
    assert "| told | not run yet |" in to_markdown(Measured(out))


def test_a_gate_that_is_shut_changes_nothing(folder, lab):
    arm = Arm("shut", gate=0.0)
    found = run_experiment(tiny(arm), lab, 1).runs["shut"][0]
    assert found.texts[OWN.name] == found.texts[NONE.name] == found.texts[OTHER.name]
    assert set(found.gates["early"]) == {0.0}


@pytest.mark.parametrize("recognizer", ["crnn", "vitstr", "trba", "abinet", "clip4str"])
@pytest.mark.parametrize("place", ["early", "late"])
def test_every_recognizer_takes_part(lab, recognizer, place):
    arm = Arm("x", recognizer, clipter=replace(CONTEXT, place=place))
    found = run_experiment(tiny(arm), lab, 1).runs["x"][0]
    assert found.added > 0
    assert found.available[OWN.name] == len(found.texts[OWN.name])


def test_real_scenes_by_folds_and_with_a_test_set(tmp_path, folder):
    from wordsight_research.context.data import places
    from wordsight_research.places.export import write_places

    for part, seed in (("train/own", 5), ("train/tested", 6), ("test/tested", 7)):
        for _ in write_places(places(Source(), seed, 6, 0.5), tmp_path / part):
            pass
    settings = replace(QUICK, data=tmp_path, folds=3)
    lab = Laboratory(settings, folder)
    pairs = lab.words(Source("own"))
    assert len(pairs) == 3
    scenes = [{s.id for s in test.scenes} for _, test in pairs]
    assert sum(len(s) for s in scenes) == len(set.union(*scenes)) == 6
    for fold, (train, test) in enumerate(pairs):
        assert not {s.id for s in train.scenes} & {s.id for s in test.scenes}
        usable = [label for label in train.labels if len(label) <= LONGEST]
        assert lab.training(Arm("x", source=Source("own")), fold).labels == usable
    found = run_experiment(spread(tiny(Arm("told")), ["own", "tested"], ["parseq"]), lab, 1)
    measured = Measured(found)
    assert measured.scores[0].n == sum(len(test) for _, test in pairs)
    assert len(measured.contrasts) == 2


def test_a_given_recognizer_is_trained_on_what_its_own_charset_can_write(tmp_path):
    from wordsight_research.context.data import places
    from wordsight_research.places.export import write_places

    for part, seed in (("train/ours", 5), ("test/ours", 6)):
        for _ in write_places(places(Source(), seed, 6, 0.5), tmp_path / part):
            pass
    file = tmp_path / "train" / "ours" / "scenes.jsonl"
    scenes = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    scenes[0]["words"][0]["text"] = "Café"  # e in ASCII, but this charset drops nothing
    file.write_text("".join(json.dumps(scene) + "\n" for scene in scenes), encoding="utf-8")
    model = new_recognizer("parseq", Charset("spaced", Charset.preset("94").characters + " "))
    start = checkpoint.save(visual_branch(model), tmp_path / "start")
    given = replace(QUICK, data=tmp_path, starts=(("parseq", str(start)),))
    arm = Arm("x", source=Source("ours"))
    labels = [Laboratory(s, tmp_path / "out").training(arm, 0).labels for s in (given, replace(given, starts=()))]
    assert [label for label in labels[1] if label not in labels[0]] == ["Café"]
    found = run_experiment(tiny(arm), Laboratory(given, tmp_path / "out"), 1).runs["x"][0]
    assert found.added > 0


def test_jittered_boxes_cut_other_crops_of_the_same_words(lab):
    test, moved = (lab.words(Source(), jitter)[0][1] for jitter in (0.0, 0.2))
    assert test.labels == moved.labels
    assert (
        sum(a.shape != b.shape or (a != b).any() for a, b in zip(test.crops, moved.crops, strict=True)) > len(test) / 2
    )
    condition = Condition("jitter", jitter=0.2)
    out = run_experiment(Experiment("j", "?", (Arm("told"),), (OWN, condition), ()), lab, 1).runs["told"][0]
    assert len(out.texts["jitter"]) == len(test)


def test_misleading_scenes_are_counted(lab):
    chosen = experiment("context-stress")
    measured = Measured(run_experiment(replace(chosen, arms=chosen.arms[:1], contrasts=()), lab, 1))
    assert {m.condition for m in measured.misled} == {c.name for c in chosen.conditions}
    for m in measured.misled:
        assert m.printed + m.rival + m.other == pytest.approx(1)
    assert measured.misled[0].changed == 0
    assert "## Printed or suggested" in to_markdown(measured)


def test_where_a_word_looks(folder, lab):
    arms = (Arm("watched", watched=True), Arm("bias", clipter=replace(CONTEXT, kernel=None), watched=True))
    out = run_experiment(tiny(*arms), lab, 1)
    found = out.runs["watched"][0].gaze
    assert set(found) == {"[CLS]", "own box", "box", "entropy"}
    assert all(0 <= value <= 1 for value in found.values())
    assert found["entropy"] > 0.8  # hardly trained: nearly even
    assert found["own box"] == pytest.approx(found["box"], abs=0.1)
    assert out.runs["bias"][0].gaze == {}
    assert "## Attention over the scene" in to_markdown(Measured(out))


def test_which_words_change_is_said(folder, lab):
    asked = replace(tiny(Arm("told"), Arm("bare", clipter=None)), changes=True)
    out = run_experiment(asked, lab, 1)
    labels = lab.words(Source())[0][1].labels
    run = out.runs["told"][0]
    right, wrong = [label.lower() for label in labels], ["?" * 9] * len(labels)
    # The first is mended, the second spoilt, the third wrong either way, the rest stays right
    run.texts[NONE.name][:], run.texts[OWN.name][:] = right, right
    run.texts[NONE.name][0], run.texts[OWN.name][1] = wrong[0], wrong[1]
    run.texts[NONE.name][2], run.texts[OWN.name][2] = "aaa", "bbb"
    measured = Measured(out)
    (found,) = to_dict(measured)["changed"]
    n = len(labels)
    shares = found["changed"], found["mended"], found["spoilt"]
    assert shares == (pytest.approx(3 / n), pytest.approx(1 / n), pytest.approx(1 / n))
    assert [(w["without"], w["told"]) for w in found["words"]][2] == ("aaa", "bbb")
    assert {w["printed"] for w in found["words"][:2]} == set(right[:2])
    text = to_markdown(measured)
    assert f"| told | {300 / n:.1f} | {100 / n:.1f} | {100 / n:.1f} |" in text
    assert f"| {right[2]} | aaa | bbb |" in text
    assert to_dict(Measured(replace(out, experiment=replace(asked, changes=False))))["changed"] == []


def test_words_that_a_detector_finds_are_scored_end_to_end(folder):
    lab = Laboratory(QUICK, folder)
    by_pixels = {scene.load().tobytes(): scene for scene in dict.fromkeys(lab.words(Source())[0][1].scenes)}
    lab.find = lambda pixels: [word.polygon for word in by_pixels[pixels.tobytes()].words]  # finds all of them
    spot = replace(tiny(Arm("told")), spotted=(OWN, NONE))
    measured = Measured(run_experiment(spot, lab, 1))
    assert [(arm, shown) for arm, shown, _ in measured.spotting] == [("told", OWN.name), ("told", NONE.name)]
    score = measured.spotting[0][2]
    assert score.truths == sum(len(word.text) > 2 for s in by_pixels.values() for word in s.words)
    assert score.paired + score.ignored_found == sum(len(s.words) for s in by_pixels.values())
    assert "## End to end" in to_markdown(measured)
    lab.find = None  # boxes are kept
    assert len(Laboratory(QUICK, folder, find=lambda pixels: 1 / 0).found(Source(), 0)) > 0


def test_pages_have_many_words(lab):
    train, test = lab.words(Source(layout="document"))[0]
    assert len(test) > 50 * len(set(test.of.tolist()))
    assert not {s.id for s in train.scenes} & {s.id for s in test.scenes}


@pytest.mark.parametrize("name", ["greek", "cyrillic"])
def test_scripts_are_written_and_compared(lab, name):
    arm = Arm(name, source=Source(script=name))
    letters = set(SCRIPTS[name])
    train, test = lab.words(arm.source)[0]
    assert all(set(label.casefold()) <= letters for label in (*train.labels, *test.labels))
    assert len(lab.training(arm, 0)) > 0
    assert not lab.charset(arm).unknown("".join(train.labels))
