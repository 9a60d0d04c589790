import csv
import io
import json
import math
from html.parser import HTMLParser

from rich.console import Console

from wordsight.evaluate import PROTOCOLS, Found, Record, Truth, averages, score, score_spotting
from wordsight.evaluate.report import Exhibit, Report, tables, to_csv, to_dict, to_html, worst

EVIL = "<script>alert('x')</script>\"&"


def report() -> Report:
    import numpy as np

    records = [
        Record("one", "a.png", "Word", "word", 0.9),
        Record("one", "b.png", EVIL, "scr", 0.8),
        Record("one", "c.png", "!!!", "", 0.1),
        Record("two", "d.png", "yes", "no", 0.7),
    ]
    protocol = PROTOCOLS["36"]
    scores = [score(records[:3], protocol, "one"), score(records[3:], protocol, "two"), score([], protocol, "none")]
    square = np.array([[0, 0], [9, 0], [9, 9], [0, 9]], dtype=np.float64)
    found = [Found(square, EVIL)]
    spotting = {"scenes": score_spotting([([Truth(square, "word")], found)])}
    findings = {"scenes": [("a.png", found)]}
    return Report("model<b>", {"threads": 2}, scores, averages(scores), records, spotting, findings)


def test_the_screen_shows_every_number_with_protocol_and_n() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    for table in tables(report()):
        console.print(table)
    text = console.export_text()
    assert "threads 2" in text
    one = next(line for line in text.splitlines() if line.startswith("│ one"))
    assert [cell.strip() for cell in one.strip("│").split("│")][:4] == ["one", "36", "2", "50.00"]
    assert "1 label empty in this charset" in one
    assert "mean of 2 sets" in text
    assert "all 3 samples" in text
    assert "100.00" in next(line for line in text.splitlines() if "detection" in line)


def test_names_on_the_screen_are_neither_markup_nor_control_sequences() -> None:
    """A folder may be called so, and Rich would fail at the first, swallow the second and send the third."""
    names = ["[/b]", "[red]x", "\x1b]0;x\x9b2J"]
    records = [Record(name, "a.png", "word", "word", 0.9) for name in names]
    scores = [score([record], PROTOCOLS["36"], record.dataset) for record in records]
    console = Console(width=140, file=io.StringIO(), force_terminal=False)
    for table in tables(Report("[/model]", {}, scores, averages(scores), records)):
        console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[/model]: words" in text
    for shown in ("[/b]", "[red]x", r"\x1b]0;x\x9b2J"):
        assert f"│ {shown} " in text


def test_json_round_trips_and_has_no_nan() -> None:
    text = json.dumps(to_dict(report()), allow_nan=False)
    values = json.loads(text)
    assert values["scores"][0]["accuracy"] == 0.5
    assert values["scores"][2]["accuracy"] is None
    assert values["readings"][1]["label"] == EVIL
    assert values["spotting"]["scenes"]["end_to_end"]["hmean"] == 0
    assert values["spotting"]["scenes"]["detection"]["hmean"] == 1
    assert values["findings"]["scenes"][0]["words"][0]["text"] == EVIL
    assert values["protocols"] == {"36": PROTOCOLS["36"].summary}


def test_csv_has_a_row_for_each_score() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(report()))))
    assert rows[0][:4] == ["model", "data", "protocol", "n"]
    assert rows[1][:5] == ["model<b>", "one", "36", "2", "50.00"]
    assert [row[5] for row in rows[6:]] == ["what", "detection", "end to end"]


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_escaped_and_self_contained() -> None:
    full = report()
    page = Page()
    page.feed(to_html(full, [Exhibit(full.records[1], b"\x89PNG picture"), Exhibit(full.records[3], b"jpeg")]))
    names = [tag for tag, _ in page.tags]
    assert "script" not in names
    assert "link" not in names
    assert EVIL in page.text
    assert "model<b>" in page.text
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert [source and source.split(",")[0] for source in sources] == [
        "data:image/png;base64",
        "data:image/jpeg;base64",
    ]
    assert not any("href" in attributes or "onerror" in attributes for _, attributes in page.tags)


def test_the_worst_come_first_and_right_ones_never() -> None:
    records = [
        Record("d", "0", "word", "word", 0.9),
        Record("d", "1", "word", "worm", 0.2),
        Record("d", "2", "word", "worm", 0.8),
        Record("d", "3", "word", "xyz", 0.1),
        Record("d", "4", "!!!", "xyz", 1.0),
    ]
    assert worst(records, PROTOCOLS["36"], 10) == [3, 2, 1]
    assert worst(records, PROTOCOLS["36"], 1) == [3]
    assert math.isnan(score([], PROTOCOLS["36"]).accuracy)


def test_on_the_page_a_right_reading_is_green_and_a_wrong_one_red() -> None:
    right, wrong = Record("one", "a.png", "OPEN", "OPEN", 0.9), Record("one", "a.png", "OPEN", "0PEN", 0.6)
    for first, other, shown in (
        (right, wrong, "<strong>OPEN</strong><br><b>OPEN</b><br>instead of <i>0PEN</i>"),
        (wrong, right, "<strong>OPEN</strong><br><i>0PEN</i><br>instead of <b>OPEN</b>"),
    ):
        assert shown in to_html(report(), [Exhibit(first, b"jpeg", other)])
