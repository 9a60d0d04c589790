import contextlib
import json
import time

import numpy as np
import pytest

from wordsight.detect import read_boxes
from wordsight.errors import BoxError

QUAD = [(10, 20), (50, 21), (49, 45), (9, 44)]
RECTANGLE = [(38, 43), (920, 43), (920, 215), (38, 215)]


def boxes(tmp_path, content: str | bytes, name: str = "boxes.txt") -> dict:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {image: [polygon.tolist() for polygon in polygons] for image, polygons in read_boxes(path).items()}


def points(polygon) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in polygon]


@pytest.mark.parametrize(
    "row",
    [
        "10,20,50,21,49,45,9,44",
        "10,20,50,21,49,45,9,44,Genaxis Theatre",
        "10,20,50,21,49,45,9,44,###",
        "10,20,50,21,49,45,9,44,",
        "10,20,50,21,49,45,9,44,a,b,c",
        "10,20,50,21,49,45,9,44,1,000",
        "10,20,50,21,49,45,9,44,7",
        '10,20,50,21,49,45,9,44,"quoted, with comma',
        "10, 20, 50, 21, 49, 45, 9, 44, text",
        "10.0,2e1,50.,21,49,45,+9,44",
        "10\t20\t50\t21\t49\t45\t9\t44\ttext",
        "10 20 50 21 49 45 9 44 text",
        "10;20;50;21;49;45;9;44;text",
        "\ufeff10,20,50,21,49,45,9,44,text",
    ],
)
def test_icdar_quads(row, tmp_path):
    assert boxes(tmp_path, f"{row}\r\n\r\n{row.lstrip(chr(0xFEFF))}\r\n") == {None: [points(QUAD)] * 2}


@pytest.mark.parametrize(
    "row", ['38, 43, 920, 215, "Tiredness"', '38 43 920 215 "To, or"', "38,43,920,215", "38,43,920,215,2015"]
)
def test_icdar_rectangles(row, tmp_path):
    assert boxes(tmp_path, row) == {None: [points(RECTANGLE)]}


def test_texts_in_another_encoding_do_no_harm(tmp_path):
    assert boxes(tmp_path, "10,20,50,21,49,45,9,44,Caf\xe9".encode("latin-1")) == {None: [points(QUAD)]}
    assert boxes(tmp_path, "10,20,50,21,49,45,9,44,Caf\xe9".encode("utf-16")) == {None: [points(QUAD)]}


@pytest.mark.parametrize("name", ["img 1.jpg", "a/b.png", "img_1"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_names_of_images_in_front(name, quote, tmp_path):
    content = f"{quote}{name}{quote},10,20,50,21,49,45,9,44,x\nother.jpg,38,43,920,215,y\n{name},38,43,920,215,z\n"
    expected = {name: [points(QUAD), points(RECTANGLE)], "other.jpg": [points(RECTANGLE)]}
    assert boxes(tmp_path, content) == expected


def test_tables_with_a_head(tmp_path):
    quad = {None: [points(QUAD)]}
    assert boxes(tmp_path, "x1,y1,x2,y2,x3,y3,x4,y4,text\n10,20,50,21,49,45,9,44,a\n") == quad
    assert boxes(tmp_path, "text;y1;x1;y2;x2;y3;x3;y4;x4\na;20;10;21;50;45;49;44;9\n") == quad
    assert boxes(tmp_path, "X1\tY1\tX2\tY2\tX3\tY3\tX4\tY4\n10\t20\t50\t21\t49\t45\t9\t44\n\n") == quad
    assert boxes(tmp_path, "left,top,right,bottom\n38,43,920,215\n") == {None: [points(RECTANGLE)]}
    content = (
        'image,text,polygon\na.jpg,"one, two","10,20 50,21 49,45 9,44"\n,"line\nbreak","38,43 920,43 920,215 38,215"\n'
    )
    assert boxes(tmp_path, content) == {"a.jpg": [points(QUAD)], None: [points(RECTANGLE)]}
    hexagon = "x1,y1,x2,y2,x3,y3,x4,y4,x5,y5,x6,y6\n0,0,5,0,9,0,9,5,5,5,0,5\n"
    assert len(boxes(tmp_path, hexagon)[None][0]) == 6


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([QUAD, RECTANGLE], {None: [QUAD, RECTANGLE]}),
        ([[10, 20, 50, 21, 49, 45, 9, 44]], {None: [QUAD]}),
        ([[38, 43, 920, 215]], {None: [RECTANGLE]}),
        ([[[38, 43], [920, 215]]], {None: [RECTANGLE]}),
        ([{"polygon": QUAD, "text": "x"}, {"points": RECTANGLE, "transcription": "###"}], {None: [QUAD, RECTANGLE]}),
        (
            {"a.jpg": [QUAD], "b.jpg": [RECTANGLE, QUAD], "c.jpg": []},
            {"a.jpg": [QUAD], "b.jpg": [RECTANGLE, QUAD], "c.jpg": []},
        ),
        ({"image": "a.jpg", "words": [{"polygon": QUAD, "text": "x", "legible": False}]}, {"a.jpg": [QUAD]}),
        ([{"image": "a.jpg", "boxes": [QUAD]}, {"image": "b.jpg", "boxes": []}], {"a.jpg": [QUAD], "b.jpg": []}),
        ({"boxes": [QUAD]}, {None: [QUAD]}),
        (
            {"source": "a.jpg", "lines": [{"polygon": QUAD, "words": [{"polygon": QUAD}, {"polygon": RECTANGLE}]}]},
            {"a.jpg": [QUAD, RECTANGLE]},
        ),
        ({"source": "a.jpg", "lines": []}, {"a.jpg": []}),
        ([], {None: []}),
        ({}, {}),
    ],
)
def test_json(document, expected, tmp_path):
    expected = {image: [points(polygon) for polygon in polygons] for image, polygons in expected.items()}
    assert boxes(tmp_path, json.dumps(document)) == expected
    assert boxes(tmp_path, "\ufeff" + json.dumps(document, indent=2)) == expected


def test_json_lines(tmp_path):
    scenes = [{"image": f"images/{i}.jpg", "words": [{"polygon": QUAD, "text": "x"}]} for i in range(3)]
    content = "\n".join(map(json.dumps, scenes)) + "\n\n"
    assert boxes(tmp_path, content) == {f"images/{i}.jpg": [points(QUAD)] for i in range(3)}


def test_counter_clockwise_points_are_turned_round(tmp_path):
    backwards = [QUAD[0], QUAD[3], QUAD[2], QUAD[1]]
    assert boxes(tmp_path, json.dumps([backwards])) == {None: [points(QUAD)]}


def test_one_bad_box_is_left_to_the_one_who_cuts_it(tmp_path):
    result = boxes(
        tmp_path,
        "[[[0, 0], [9, 0], [9, NaN], [0, 9]], [5, 5, 5, 5], [1, 2, 3, 4]]",
    )
    assert len(result[None]) == 3
    assert np.isnan(result[None][0]).sum() == 1
    assert len(boxes(tmp_path, "0,0,9,0,9,nan,0,9,x\n0,0,9,0,9,9,0,9\n")[None]) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("10,20,50,21,49,45,9,44\n\nhello\n", r"line 3: 'hello' is not a box"),
        ("10,20,50\n", "line 1"),
        ("hello\nworld", "line 1: 'hello' is neither a box nor a table header"),
        ("x1,y1,x2,y2,x3,y3,x4,y4\n1,2,3,4,5,6,7\n", "line 2: 7 columns instead of 8"),
        ("x1,y1,x2,y2,x3,y3,x4,y4\n1,2,3,4,5,6,7,8\n1,2,3,4,5,6,7,a\n", "line 3: could not convert"),
        ("x1,y1,x2,y2,x3,y3\n1,2,3,4,5,6\n", "line 2: 6 numbers are not a box"),
        ("polygon\n1 2 3\n", "line 2: 3 numbers are not a box"),
        ("[[1, 2, 3]]", "3 numbers"),
        ("[[[1, 2], [3, 4], [5, 6]]]", "6 numbers"),
        ("[[1, 2, 3, 4, 5, 6, 7, 8, 9]]", "9 numbers"),
        ("[[[1, 2], [3]]]", "is not a box"),
        ("[[[[1, 2], [3, 4]]]]", "is not a box"),
        ('["text"]', "is not a box"),
        ('[{"text": "a"}]', "not a list of boxes"),
        ('{"words": [{"text": "a"}]}', "has no polygon"),
        ('{"a.jpg": 5}', "not a list of boxes"),
        ("[1, 2", "line 1: not valid JSON"),
        ("[[1,2,3,4],\n[5,6,7 8]]", "line 2: not valid JSON"),
        ('{"image": "a", "words": []}\n{"image": "b", "words": [{"polygon": [1]}]}\n', "line 2: 1 numbers"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_errors_name_file_and_line(content, message, tmp_path):
    with pytest.raises(BoxError, match=message) as caught:
        boxes(tmp_path, content, "my boxes.csv")
    assert "my boxes.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(BoxError, match="does not exist"):
        read_boxes(tmp_path / "missing.txt")
    with pytest.raises(BoxError, match="cannot be read"):
        read_boxes(tmp_path)
    with pytest.raises(BoxError, match="cannot be read"):
        read_boxes("a\0b")


def test_an_empty_file_has_no_boxes(tmp_path):
    assert boxes(tmp_path, "") == {}
    assert boxes(tmp_path, "\ufeff\n \n") == {}


def test_binary_garbage_is_a_boxerror(tmp_path):
    rng = np.random.default_rng(0)
    refused = []
    for _ in range(50):
        data = bytes(rng.integers(0, 256, 200, dtype=np.uint8))
        try:
            boxes(tmp_path, data)
        except BoxError as error:
            refused.append(str(error))
    assert len(refused) > 40
    assert not any("\n" in message for message in refused)


@pytest.mark.parametrize(
    "content",
    [
        " " * 400_000 + "x",
        "\t" * 400_000 + ",",
        "1 " * 200_000 + "x",
        "a " * 200_000 + ",1,2,3",
        '"' + " " * 200_000 + '"' + " " * 200_000,
        "1" * 400_000,
        "1,2,3,4" + " " * 400_000 + "x",
        "1.1." * 100_000,
        ",".join(f"x{i},y{i}" for i in range(1, 10_001)) + "\n1,2\n",
        "[" * 400_000,
        '{"words": [' * 400 + "[1, 2, 3, 4]" + "]}" * 400,
        "polygon\n" + "1,2 " * 100_000,
    ],
    ids=lambda content: content[:12],
)
def test_a_long_line_costs_what_its_length_says(tmp_path, content):
    """Patterns that tried everything in every way took 19 s for 2 kB and nine minutes for 8 kB."""
    began = time.process_time()
    try:
        boxes(tmp_path, content)
    except BoxError as error:
        assert len(str(error)) < 400  # noqa: PT017
    assert time.process_time() - began < 5  # a tenth of a second on an idle machine


def test_lists_in_lists_end_in_no_other_error(tmp_path):
    read = 0
    for depth in range(100, 1200, 50):
        with contextlib.suppress(BoxError):
            read += len(boxes(tmp_path, '{"words": [' * depth + "[1, 2, 3, 4]" + "]}" * depth))
    assert read  # those of some depth
