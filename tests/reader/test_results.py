"""Results and their formats: what is written is what was read, and can be read again."""

import csv
import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest

from wordsight import Char, Line, Photo, Word
from wordsight.errors import DataError
from wordsight.export import FORMATS, find_format
from wordsight.export.csv import COLUMNS

XHTML = "{http://www.w3.org/1999/xhtml}"


def box(x: float, y: float, w: float, h: float) -> tuple[tuple[float, float], ...]:
    return ((x, y), (x + w, y), (x + w, y + h), (x, y + h))


def word(text: str, x: float = 10, y: float = 20, p: float = 0.9) -> Word:
    chars = tuple(Char(c, p, (("o", 0.05), ("", 0.01))) for c in text)
    return Word(text, p ** len(text), box(x, y, 12.34567 * len(text), 30), chars)


@pytest.fixture
def photo() -> Photo:
    first = Line((word("Coffee"), word("Café™", 100)), box(10, 20, 200, 30))
    second = Line((word("=SUM(1)", 10, 80, 0.5),), ((12, 75), (90, 85), (88, 115), (10, 105)))
    return Photo('a,b "c"/d\'e.jpg', 320, 240, (first, second), ("box 3: the box is empty",))


def test_text_words_and_confidence(photo: Photo) -> None:
    assert photo.text == "Coffee Café™\n=SUM(1)"
    assert [w.text for w in photo.words] == ["Coffee", "Café™", "=SUM(1)"]
    assert photo.lines[0].confidence == pytest.approx(0.9**11)
    assert Photo("x", 1, 1, ()).text == ""


def test_json_round_trip(photo: Photo) -> None:
    values = json.loads(photo.to_json())
    assert values["schema"] == 1
    assert list(values) == ["schema", "source", "width", "height", "lines", "problems"]
    again = Photo.from_json(photo.to_json())
    assert again.to_dict() == photo.to_dict()
    assert again.text == photo.text
    assert again.words[0].chars == photo.words[0].chars
    np.testing.assert_allclose(again.words[0].polygon, photo.words[0].polygon, atol=0.005)
    assert Photo.from_json(photo.to_json(indent=2)) == again


HALF = '{"schema": 1, "source": "x", "width": 1, "height": 1, "problems": [], "lines": [{"words": [3]}]}'


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 2}', "{}", '{"schema": 1, "source": "x"}', HALF])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        Photo.from_json(text)


def test_csv_keeps_every_text_and_starts_no_formula(photo: Photo) -> None:
    table = photo.to_csv()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert tuple(rows[0]) == COLUMNS
    assert [row["text"] for row in rows] == ["Coffee", "Café™", "'=SUM(1)"]
    assert rows[0]["source"] == photo.source
    assert [(row["line"], row["word"]) for row in rows] == [("1", "1"), ("1", "2"), ("2", "1")]
    assert [rows[0][side] for side in ("left", "top", "right", "bottom")] == ["10", "20", "85", "50"]
    assert rows[0]["polygon"].split()[0] == "10.0,20.0"


@pytest.mark.parametrize("text", ["=1", "+1", "-20%", "@home", "'quoted'", "1-2", "a=b", '"', "x,y", ""])
def test_apostrophe_of_csv_can_be_taken_away_again(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(Photo("-x.jpg", 9, 9, (Line((word(text),), box(0, 0, 9, 9)),)).to_csv()))
    assert row["text"].removeprefix("'") == text
    assert row["text"][:1] not in ("=", "+", "-", "@")
    assert row["source"] == "'-x.jpg"


def test_tsv_has_no_quotes_and_one_line_per_word() -> None:
    photo = Photo("tab\there\nand there", 9, 9, (Line((word('say "=hi"'),), box(0, 0, 9, 9)),))
    head, row = photo.to_tsv().splitlines()
    assert tuple(head.split("\t")) == COLUMNS
    assert row.split("\t")[:4] == ["tab here and there", "1", "1", 'say "=hi"']


def test_hocr_is_valid_xml_with_the_right_properties(photo: Photo) -> None:
    root = ElementTree.fromstring(photo.to_hocr())
    (page,) = (node for node in root.iter() if node.get("class") == "ocr_page")
    title = page.get("title") or ""
    assert title.startswith('image "a,b \\"c\\"/d\'e.jpg"; bbox 0 0 320 240; ppageno 0')
    lines = [node for node in page.iter() if node.get("class") == "ocr_line"]
    assert [line.tag for line in lines] == [f"{XHTML}span"] * 2
    assert (lines[0].get("title") or "").startswith("bbox 10 20 210 50; baseline 0.000 0.0")
    assert "baseline 0.128" in (lines[1].get("title") or "")
    words = [node for node in page.iter() if node.get("class") == "ocrx_word"]
    assert [node.text for node in words] == ["Coffee", "Café™", "=SUM(1)"]
    assert words[0].get("title") == "bbox 10 20 85 50; x_wconf 53"
    capabilities = next(node for node in root.iter() if node.get("name") == "ocr-capabilities")
    assert capabilities.get("content") == "ocr_page ocr_par ocr_line ocrx_word"


def test_hocr_of_upright_text_gives_its_angle() -> None:
    downwards = ((50.0, 10.0), (50.0, 110.0), (20.0, 110.0), (20.0, 10.0))
    photo = Photo("x", 100, 200, (Line((word("A"),), downwards),))
    assert "textangle -90.0" in photo.to_hocr()


def test_hocr_of_curved_text_has_its_outline() -> None:
    arch = ((0.0, 60.0), (50.0, 40.0), (100.0, 60.0), (100.0, 80.0), (50.0, 60.0), (0.0, 80.0))
    photo = Photo("x", 200, 200, (Line((Word("arch", 0.9, arch),), arch),))
    outline = "bbox 0 40 100 80; poly 0 60 50 40 100 60 100 80 50 60 0 80; "
    assert f'title="{outline}baseline 0.000 -6.7"' in photo.to_hocr()  # a third of the way from the edge to its chord
    assert f'title="{outline}x_wconf 90"' in photo.to_hocr()


def test_hocr_of_strange_names_and_texts_is_still_xml() -> None:
    photo = Photo("a\x00\x1b\ud800<&>.jpg", 9, 9, (Line((word("<script>&amp;\x07", -5, -5),), box(-5, -5, 100, 100)),))
    root = ElementTree.fromstring(photo.to_hocr())
    (node,) = (node for node in root.iter() if node.get("class") == "ocrx_word")
    assert node.text == "<script>&amp;\ufffd"
    assert (node.get("title") or "").startswith("bbox 0 0 9 9;")


@pytest.mark.parametrize("name", [name for name in FORMATS if not find_format(name).single])
def test_documents_of_none_and_several(photo: Photo, name: str) -> None:
    none, two = find_format(name).document([]), find_format(name).document([photo, photo])
    if name == "json":
        assert (json.loads(none), len(json.loads(two))) == ([], 2)
    elif name == "hocr":
        assert len(ElementTree.fromstring(none)) == 2
        assert [node.get("id") for node in ElementTree.fromstring(two).iter() if node.get("class") == "ocr_page"] == [
            "page_1",
            "page_2",
        ]
    elif name == "html":
        assert two.count(">Coffee<") == 2
        assert none.count("<section") == 0
    else:
        assert two.count("Coffee") == (4 if name == "jsonl" else 2)  # there in the line and in the word
        assert len(none.splitlines()) == (1 if name in ("csv", "tsv") else 0)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_line_end_in_a_file_name_starts_no_row_of_csv(end: str) -> None:
    """What stands behind it could be a formula."""
    name = f"x{end}=A1+cmd().png"
    table = Photo(name, 9, 9, (Line((word("a"),), box(0, 0, 9, 9)),)).to_csv()
    assert f'"{name}"' in table
    (row,) = csv.DictReader(io.StringIO(table, newline=""))
    assert row["source"] == name
    assert table.count("\n") == 2 + end.count("\n")
