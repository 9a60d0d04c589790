"""The suites of test sets, and the table of what others scored."""

from pathlib import PurePath

import pytest

from wordsight.errors import ConfigError, DataError
from wordsight.evaluate import BENCHMARKS, PROTOCOLS, SUITES, Score, compare, find_suite, locate, remarks
from wordsight.evaluate.benchmarks import published


def score(name: str, n: int, correct: int, **left_out: int) -> Score:
    return Score(name, "parseq-36", n, correct, 0.0, 0.0, 0.0, 0.0, 0.0, left_out)


def perfect(suite: str) -> list[Score]:
    return [score(name, BENCHMARKS[name].n, BENCHMARKS[name].n) for name in SUITES[suite].sets]


def test_the_suites_have_the_samples_of_the_papers() -> None:
    def total(suite: str, group: str) -> int:
        return sum(BENCHMARKS[name].n for name in SUITES[suite].groups[group])

    assert total("parseq", "Benchmark (subset)") == 7248  # PARSeq
    assert total("parseq-full", "Benchmark") == 7672  # PARSeq
    assert total("parseq-full", "CLIP4STR's nine") == 14_315  # the CLIP4STR README's counts added up
    assert total("union14m", "Union14M-Benchmark") == 409_383 - 1495  # without `incomplete`, which is no longer used
    assert total("openocr", "OST") == 4832
    assert all(suite.protocol in PROTOCOLS for suite in SUITES.values())
    assert {name for suite in SUITES.values() for name in suite.sets} == set(BENCHMARKS)
    with pytest.raises(ConfigError, match="parseq-full"):
        find_suite("parsec")


def test_sets_are_found_in_the_layouts_of_the_field() -> None:
    parseq = ["test/IIIT5k", "test/SVT", "test/COCOv1.4", "test/ArT", "test/Uber", "train/real/ArT/train", "val"]
    found = locate([PurePath(p) for p in parseq], SUITES["parseq-full"])
    assert {name: str(p) for name, p in found.items()} == {
        "IIIT5k": "test/IIIT5k",
        "SVT": "test/SVT",
        "COCOv1.4": "test/COCOv1.4",
        "ArT": "test/ArT",
        "Uber": "test/Uber",
    }
    openocr = [
        "u14m/curve",
        "u14m/multi_oriented",
        "OST/heavy",
        "OST/weak",
        "evaluation/CUTE80",
        "evaluation/iiit5k_3000",
    ]
    assert locate([PurePath(p) for p in openocr], SUITES["openocr"]).keys() == {
        "IIIT5k",
        "CUTE80",
        "curve",
        "multi_oriented",
        "WOST",
        "HOST",
    }
    shards = [PurePath("Uber/part-0"), PurePath("Uber/part-1")]
    assert locate(shards, SUITES["parseq-full"]) == {"Uber": PurePath("Uber")}


def test_a_set_that_is_there_twice_or_not_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match=r"SVT was found twice, in a.SVT and b.svt"):
        locate([PurePath("a/SVT"), PurePath("b/svt")], SUITES["parseq"])
    with pytest.raises(DataError, match="none of the sets of parseq is there"):
        locate([PurePath("train/SVT"), PurePath("other")], SUITES["parseq"])


def test_other_counts_and_missing_sets_are_said() -> None:
    scores = [score("SVT", 647, 600), score("IC15_1811", 1800, 1500, unreadable=4), score("IIIT5k", 3000, 1)]
    said = remarks(SUITES["parseq"], scores)
    assert said == [
        "IC15_1811: 1800 samples count here (of 1804), 1811 in published tables",
        "not there: IC13_857 (857), SVTP (645), CUTE80 (288); averages without them compare with nothing published",
    ]
    assert remarks(SUITES["parseq-full"], perfect("parseq-full")) == []


def test_our_row_stands_above_published_ones() -> None:
    benchmark, nine, new = compare("ours", SUITES["parseq-full"], perfect("parseq-full"))
    ours = nine.models[0]
    assert (ours.model, ours.weighted, ours.arithmetic) == ("ours", 1.0, 1.0)
    by_name = {row.model: row for row in benchmark.models}
    assert by_name["PARSeq-S, Real"].scores["IC15_2077"] == pytest.approx(0.8922)
    assert "PARSeq-S, Real" not in {row.model for row in new.models}  # it has no scores there
    assert new.models[1].weighted is not None
    some = compare("ours", SUITES["parseq-full"], [score("SVT", 647, 600)])
    assert some[0].models[0].scores["SVT"] == 600 / 647
    assert some[0].models[0].scores["IIIT5k"] is None
    assert some[0].models[0].weighted is some[0].models[0].arithmetic is None


def test_published_cells_give_the_published_averages() -> None:
    """Ema that the publications print, so that a slip in a cell would show."""

    def rows(suite: str, group: int) -> dict[str, tuple[float | None, float | None]]:
        models = compare("ours", SUITES[suite], [])[group].models[1:]
        return {
            row.model: tuple(None if v is None else round(100 * v, 2) for v in (row.weighted, row.arithmetic))
            for row in models
        }

    # The ends of the paper's ablation are 91.2 and 91.9 on the nine sets.
    nine = rows("parseq-full", 1)
    assert (nine["CLIP4STR-B, Real"][0], nine["CLIP4STR-L, Real"][0]) == (91.17, 91.86)
    assert (nine["CLIP4STR-B, MJ+ST"][0], nine["CLIP4STR-H DFN, RBU"][0]) == (89.02, 92.84)
    assert rows("parseq-full", 0)["PARSeq-S, Real"][0] == pytest.approx(95.95, abs=0.01)
    subset = rows("parseq", 0)
    assert subset["CLIP4STR-L, Real"][0] == pytest.approx(97.06, abs=0.01)
    assert subset["CLIP4STR-L, REBU-Syn"][0] == pytest.approx(97.42, abs=0.01)
    common, union = rows("openocr", 0), rows("openocr", 1)
    printed = {"CRNN": 90.21, "PARSeq": 96.40, "MAERec-S": 96.36, "SVTRv2-T": 94.78, "SVTRv2-B": 96.57}
    assert all(common[name][1] == pytest.approx(mean, abs=0.06) for name, mean in printed.items())
    printed = {"ABINet": 75.72, "PARSeq": 84.26, "SVTRv2-B": 86.14, "CRNN": 49.24}
    assert all(union[name][1] == pytest.approx(mean, abs=0.06) for name, mean in printed.items())


def test_every_published_score_has_a_source_and_is_a_percentage() -> None:
    for row in published():
        assert row.source
        assert row.suite in SUITES
        assert row.scores.keys() <= set(SUITES[row.suite].sets)
        assert row.means.keys() <= SUITES[row.suite].groups.keys()
        assert all(0 < value <= 100 for value in (*row.scores.values(), *row.means.values()))
