"""Lines and their order, by geometry and texts alone: boxes are as a detector gives them, no model reads."""

import numpy as np
import pytest

from wordsight.imaging.geometry import around
from wordsight.reading.rows import in_lines, rows
from wordsight.results import Photo, Word, as_polygon

Cell = tuple[float, float, str]  # left (right where the text is a number), top, text

RECEIPT = [
    [(190.0, 0.0, "CORNER MARKET")],
    [(20.0, 60.0, "Milk"), (480.0, 60.0, "1.29")],
    [(20.0, 95.0, "Chocolate biscuits"), (480.0, 95.0, "2.50")],
    [(20.0, 130.0, "Eggs"), (480.0, 130.0, "13.84")],
    [(20.0, 180.0, "Total"), (480.0, 180.0, "17.63")],
    [(170.0, 230.0, "Thank you for your visit")],
]
PRICES = [
    [(0.0, 0.0, "Tomato soup"), (300.0, 0.0, "5.50")],
    [(0.0, 40.0, "Green salad"), (300.0, 40.0, "4.20")],
    [(0.0, 80.0, "Garlic bread"), (300.0, 80.0, "£3.80")],
    [(420.0, 0.0, "Grilled salmon"), (740.0, 0.0, "14.00")],
    [(420.0, 40.0, "Roast chicken"), (740.0, 40.0, "12.50")],
    [(420.0, 80.0, "Veal stew"), (740.0, 80.0, "13.80")],
]
TABLE = [
    [(0.0, 0.0, "City"), (260.0, 0.0, "2022"), (360.0, 0.0, "2023"), (460.0, 0.0, "2024")],
    [(0.0, 36.0, "Lisbon"), (260.0, 36.0, "12.4"), (360.0, 36.0, "13.1"), (460.0, 36.0, "15.0")],
    [(0.0, 72.0, "Porto"), (260.0, 72.0, "8.0"), (460.0, 72.0, "8.9")],  # a cell is empty
    [(0.0, 108.0, "Braga"), (260.0, 108.0, "3.1"), (360.0, 108.0, "3.3"), (460.0, 108.0, "3.7")],
    [(0.0, 144.0, "Setubal"), (260.0, 144.0, "4.2"), (360.0, 144.0, "4.4"), (460.0, 144.0, "4.1")],
]
QUANTITIES = [
    [(30.0, 36.0 * k, number), (80.0, 36.0 * k, name), (360.0, 36.0 * k, each), (480.0, 36.0 * k, total)]
    for k, (number, name, each, total) in enumerate(
        [("2", "Milk", "1.29", "2.58"), ("10", "Bread rolls", "0.30", "3.00"), ("3", "Butter", "2.20", "6.60")]
    )
]
HOURS = [
    [(0.0, 40.0 * k, day), (230.0, 40.0 * k, hours)]
    for k, (day, hours) in enumerate(
        [("Monday", "9 am - 6 pm"), ("Tuesday", "9 am - 6 pm"), ("Saturday", "10 - 14"), ("Sunday", "closed")]
    )
]
FORM = [
    [(0.0, 40.0 * k, label), (260.0, 40.0 * k, value)]
    for k, (label, value) in enumerate(
        [("Name:", "Maria Santos"), ("City:", "Lisbon"), ("Street:", "Rua Augusta"), ("Trade:", "Engineer")]
    )
]
UNITS = [
    [(0.0, 40.0 * k, what), (330.0, 40.0 * k, much), (360.0, 40.0 * k, unit)]
    for k, (what, much, unit) in enumerate([("Flour", "250", "g"), ("Butter", "125", "g"), ("Eggs", "3", "pcs")])
]


def _columns(*columns: list[str], width: float = 400, pitch: float = 40, top: float = 0) -> list[list[Cell]]:
    return [[(width * c, top + pitch * k, text)] for c, column in enumerate(columns) for k, text in enumerate(column)]


MENU = _columns(["Starters", "Tomato soup", "Tea"], ["Mains", "Grilled salmon", "Roast chicken"])
THREE = [
    [(270.0, -70.0, "Our Menu for today")],  # between the gutters
    *_columns(
        ["Starters", "Tomato soup", "Green salad", "Olives"],
        ["Mains", "Grilled salmon", "Roast chicken"],
        ["Desserts", "Apple pie", "Ice cream", "Cheese"],
        width=300,
    ),
]
NEWS = [  # columns whose lines do not stand at one height, a gutter of one and a half heights, a heading over all
    [(40.0, -50.0, "Old bridge across the river closed until the end of summer")],
    *[[(0.0, 26.0 * k, "the old bridge is closed for")] for k in range(9)],
    *[[(310.0, 11 + 26.0 * k, "repairs and will be opened")] for k in range(7)],
    [(0.0, 280.0, "Page 4 of the Daily News of the Lower Town and its surroundings")],
]
PEOPLE = [
    [(0.0, 40.0 * k, name), (220.0, 40.0 * k, city), (480.0, 40.0 * k, age)]
    for k, (name, city, age) in enumerate(
        [("Maria Santos", "Lisbon", "31"), ("Rui", "Porto", "47"), ("Ines", "Faro", "25")]
    )
]
PAGES = {
    "people": PEOPLE,
    "receipt": RECEIPT,
    "prices": PRICES,
    "table": TABLE,
    "quantities": QUANTITIES,
    "hours": HOURS,
    "form": FORM,
    "units": UNITS,
    "menu": MENU,
    "three": THREE,
    "news": NEWS,
}


def box(x: float, y: float, width: float, height: float = 20) -> np.ndarray:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float64)


def _boxes(lines: list[list[Cell]]) -> tuple[list[np.ndarray], list[str], list[list[int]]]:
    """Polygons and texts of a page, and its lines by number."""
    polygons, texts, expected = [], [], []
    for line in lines:
        expected.append(list(range(len(texts), len(texts) + len(line))))
        for x, y, text in line:
            width = 10.0 * len(text)
            ends = x >= 300 and text[-1].isdigit() and len(line) > 1  # numbers are aligned on the right
            polygons.append(box(x - width if ends else x, y, width))
            texts.append(text)
    return polygons, texts, expected


def _turned(polygons: list[np.ndarray], degrees: float) -> list[np.ndarray]:
    angle = np.radians(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    return [polygon @ turn for polygon in polygons]


def _shuffled(polygons: list[np.ndarray], texts: list[str]) -> list[list[int]]:
    """The lines of a page whose boxes come in another order."""
    order = np.random.default_rng(0).permutation(len(texts)).tolist()
    found = rows([polygons[i] for i in order], [texts[i] for i in order])
    return [[order[i] for i in line] for line in found]


@pytest.mark.parametrize("degrees", [0, 7, -20, 90, 180, -90])
@pytest.mark.parametrize("name", PAGES)
def test_pages_are_read_in_lines_and_columns_however_they_are_turned(name: str, degrees: float) -> None:
    polygons, texts, expected = _boxes(PAGES[name])
    assert _shuffled(_turned(polygons, degrees), texts) == expected


@pytest.mark.parametrize("name", PAGES)
def test_boxes_need_not_be_exact(name: str) -> None:
    polygons, texts, expected = _boxes(PAGES[name])
    random = np.random.default_rng(1)
    for _ in range(5):
        assert rows([p + random.normal(0, 0.8, (4, 2)) for p in polygons], texts) == expected


@pytest.mark.parametrize("name", ["receipt", "menu", "three", "news"])
@pytest.mark.parametrize("side", [-1, 1])
def test_pages_may_be_seen_from_the_side(name: str, side: int) -> None:
    polygons, texts, expected = _boxes(PAGES[name])

    def seen(points: np.ndarray) -> np.ndarray:
        return points / (1 + points[:, :1] * side * 2e-4 + points[:, 1:] * 2e-4)

    assert rows([seen(polygon) for polygon in polygons], texts) == expected


def test_words_near_each_other_are_one_line_and_signs_apart_are_not() -> None:
    assert rows([box(0, 0, 90), box(100, 2, 80)], ["Osborne", "Garages"]) == [[0, 1]]
    assert rows([box(0, 0, 90), box(160, 0, 80)], ["PHARMACY", "Shoes"]) == [[0], [1]]
    assert rows([box(0, 0, 90), box(100, -10, 90, 40)], ["orange", "BANK"]) == [[0], [1]]  # of another size
    assert rows([box(0, 0, 90), box(100, 9, 90)], ["HUNTED", "HUNTED"]) == [[0], [1]]  # not at one height


def test_a_number_may_stand_further_away_than_a_word() -> None:
    assert rows([box(0, 0, 90), box(125, 0, 50)], ["Room", "[05]"]) == [[0, 1]]
    assert rows([box(0, 0, 90), box(125, 0, 50)], ["Room", "Shop"]) == [[0], [1]]
    assert rows([box(0, 0, 90), box(300, 0, 50)], ["Room", "[05]"]) == [[0], [1]]
    two = [box(0, 0, 90), box(300, 0, 50), box(0, 40, 60), box(300, 40, 50)]
    assert rows(two, ["Cash", "30.00", "Change", "9.28"]) == [[0, 1], [2, 3]]


def test_two_rows_are_no_columns_and_no_table_of_words() -> None:
    boxes = [box(0, 0, 90), box(300, 0, 90), box(0, 40, 90), box(300, 40, 90)]
    assert rows(boxes, ["OPEN", "FRESH", "DAILY", "FISH"]) == [[0], [1], [2], [3]]


def test_words_beside_words_are_no_table() -> None:
    """The buttons of a machine, whose captions have up to three lines."""
    left = [box(0, y, 90) for y in (20, 120, 200, 220, 300)]
    right = [box(200, y, 110) for y in (0, 20, 40, 120, 200, 220, 300)]
    found = rows([*left, *right], ["Cash deposit"] * 5 + ["Bill payment"] * 7)
    assert all(len(line) == 1 for line in found)


def test_the_gaps_of_a_paragraph_are_no_gutter() -> None:
    words = [(0, 90), (105, 60), (180, 120)], [(0, 50), (60, 140), (215, 80)], [(0, 130), (145, 70), (230, 70)]
    boxes = [box(x, 28 * k, width) for k, line in enumerate(words) for x, width in line]
    assert rows(boxes, ["words"] * 9) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_text_in_two_columns_above_a_list_of_prices() -> None:
    head = _columns(["Corner Market", "High Street", "Lisbon"], ["Maria Santos", "Rua Augusta", "Coimbra"], width=280)
    items = [[(x, 200 + y, text) for x, y, text in line] for line in RECEIPT[1:5]]
    polygons, texts, expected = _boxes([*head, *items])
    assert rows(polygons, texts) == expected


def test_most_of_the_text_says_what_is_right() -> None:
    upright = [box(40, 40 + 40 * k, 200) for k in range(3)]
    down = np.array([(300, 40), (300, 140), (280, 140), (280, 40)], np.float64)  # a word that runs down the side
    assert rows([*upright, down], ["words"] * 4) == [[0], [1], [3], [2]]


def test_rows_may_slope_and_curved_text_counts() -> None:
    sloping = [box(60 * k, 7 * k, 50) for k in range(6)]
    assert [i for line in rows(sloping, ["words"] * 6) for i in line] == [0, 1, 2, 3, 4, 5]
    arch = np.array([(0, 60), (50, 40), (100, 60), (100, 80), (50, 60), (0, 80)], np.float64)
    assert rows([box(0, 120, 90), arch], ["below", "above"]) == [[1], [0]]


def test_signs_at_one_height_come_from_left_to_right() -> None:
    boxes = [box(300, 62, 80, 30), box(10, 50, 80, 30), box(150, 56, 80, 30)]
    boxes += [box(12, 120, 60), box(250, 90, 60), box(100, 200, 500, 200)]
    assert rows(boxes, ["word"] * 6) == [[1], [2], [0], [4], [3], [5]]


def test_signs_far_apart_in_a_panorama_do_too() -> None:
    """As found on five equal plates at one height in a picture of 12,000 pixels: a short text knows its slope badly."""
    plates = [((1063, 739), (1353, 736), 101), ((3494, 714), (3721, 711), 98), ((5856, 689), (6153, 686), 101)]
    plates += [((8286, 658), (8529, 669), 84), ((10686, 639), (10928, 637), 77)]
    boxes = [
        np.array([(x0, y0 - h / 2), (x1, y1 - h / 2), (x1, y1 + h / 2), (x0, y0 + h / 2)], np.float64)
        for (x0, y0), (x1, y1), h in plates
    ]
    assert rows(boxes[::-1], ["word"] * 5) == [[4], [3], [2], [1], [0]]


def test_nothing_and_points_have_lines() -> None:
    assert rows([], []) == []
    assert rows([np.zeros((4, 2))], [""]) == [[0]]
    assert rows([np.zeros((4, 2))] * 3, ["", "a", "b"]) == [[0], [1], [2]]


@pytest.mark.parametrize("degrees", [0, 10, 90, 180])
def test_the_outline_of_a_line_begins_at_its_top_left(degrees: float) -> None:
    boxes = [box(10, 20, 50), box(70, 22, 30, 16), box(300, 20, 40)]
    expected = np.array([(10, 20), (340, 20), (340, 40), (10, 40)])
    outline = around(_turned(boxes, degrees))
    np.testing.assert_allclose(outline, _turned([expected], degrees)[0], atol=1e-9)
    np.testing.assert_array_equal(around([boxes[1]]), boxes[1])


def test_a_line_of_several_boxes_has_all_their_words_in_every_format() -> None:
    polygons, texts, _ = _boxes(RECEIPT)
    read = [
        (polygon, [Word(text, 0.9, as_polygon(polygon)) for text in texts.split()])
        for polygon, texts in zip(polygons, texts, strict=True)
    ]
    photo = Photo("receipt.png", 500, 260, tuple(in_lines(read[::-1])))
    assert photo.text.splitlines() == [" ".join(text for _, _, text in line) for line in RECEIPT]
    assert photo.lines[2].polygon == ((20, 95), (480, 95), (480, 115), (20, 115))
    assert Photo.from_json(photo.to_json()).text == photo.text
    assert [row.split("\t")[1:4] for row in photo.to_tsv().splitlines()[3:5]] == [
        ["2", "1", "Milk"],
        ["2", "2", "1.29"],
    ]
    assert "bbox 20 95 480 115; baseline 0.000 0.0" in photo.to_hocr()
    assert in_lines([]) == []
