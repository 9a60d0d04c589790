"""ALTO and PAGE XML: valid by their schemas, and with everything that was read.

PAGE's schema comes with the package `ocrd` (`pip install --no-deps ocrd`), where that is installed. No package that we
know of carries ALTO's, so its documents are held to a table of what version 4.4 says of the elements that we write.
"""

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from wordsight import Line, Photo, Word
from wordsight.export import find_format
from wordsight.results import Polygon

ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
PAGE = "{http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15}"


def box(x: float, y: float, w: float, h: float) -> Polygon:
    return ((x, y), (x + w, y), (x + w, y + h), (x, y + h))


def photos() -> dict[str, Photo]:
    two = Line(
        (Word("Coffee", 0.98, box(10, 20, 74.4, 30)), Word("Café™ <&\"'>", 0.5, box(100, 20, 60, 30))),
        box(10, 20, 150, 30),
    )
    down = ((50.0, 10.0), (50.0, 110.0), (20.0, 110.0), (20.0, 10.0))
    bent: Polygon = ((60, 100), (100, 80), (140, 100), (140, 120), (100, 100), (60, 120))
    beyond = Line((Word("\x00\x07", 0, box(-20, -20, 400, 400)),), box(-20, -20, 400, 400))
    lines = (two, Line((Word("down", 0.1234567, down),), down), Line((Word("bent", 1, bent),), bent), beyond)
    return {
        "several lines": Photo('a,b "c"/<d>.jpg', 320, 240, lines),
        "nothing": Photo("a.jpg", 320, 240, ()),
        "a crop without text": Photo("a.jpg", 9, 9, (Line((Word("", 0, box(0, 0, 9, 9)),), box(0, 0, 9, 9)),)),
        "a page": Photo("scan.tif", 320, 240, (two,), page=3),
        "a strange name": Photo("a\x00\ud800.jpg", 320, 240, (two,)),
    }


@pytest.fixture(params=photos())
def photo(request: pytest.FixtureRequest) -> Photo:
    return photos()[request.param]


def document(photo: Photo, name: str, folder: Path) -> ElementTree.Element:
    path = folder / f"x.{name}.xml"
    photo.save(path)
    assert path.read_text(encoding="utf-8") == find_format(name).document([photo]) or name == "page"  # it has the time
    return ElementTree.fromstring(path.read_bytes())


# What the schema says: children in order, attributes that are required, others that we use.
NUMBER, IDENTITY = r"-?\d+(\.\d+)?", r"[A-Za-z_][\w.-]*"
POINTS = r"\d+,\d+( \d+,\d+)+"
PLACE = {"HPOS": NUMBER, "VPOS": NUMBER, "WIDTH": NUMBER, "HEIGHT": NUMBER}
ALTO_4_4: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "alto": (r"(Description )?(Styles )?(Tags )?(ReadingOrder )?Layout ", {}, {"SCHEMAVERSION": r"4\.4"}),
    "Description": (r"MeasurementUnit (sourceImageInformation )?(OCRProcessing )*(Processing )*", {}, {}),
    "MeasurementUnit": ("", {}, {}),
    "sourceImageInformation": (r"(fileName )?(fileIdentifier )*(documentIdentifier )*", {}, {}),
    "fileName": ("", {}, {}),
    "Processing": (
        "(processingCategory )?(processingDateTime )?(processingAgency )?(processingStepDescription )*"
        "(processingStepSettings )?(processingSoftware )?",
        {"ID": IDENTITY},
        {},
    ),
    "processingSoftware": (r"(softwareCreator )?(softwareName )?(softwareVersion )?(applicationDescription )?", {}, {}),
    "softwareName": ("", {}, {}),
    "softwareVersion": ("", {}, {}),
    "Layout": (r"(Page )+", {}, {}),
    "Page": (
        r"(TopMargin )?(LeftMargin )?(RightMargin )?(BottomMargin )?(PrintSpace )?",
        {"ID": IDENTITY, "PHYSICAL_IMG_NR": NUMBER},
        {"WIDTH": NUMBER, "HEIGHT": NUMBER},
    ),
    "PrintSpace": (r"(Shape )?((TextBlock|Illustration|GraphicalElement|ComposedBlock) )*", {}, PLACE),
    "TextBlock": (r"(Shape )?(TextLine )*", {"ID": IDENTITY}, PLACE),
    "TextLine": (r"(Shape )?(String (SP )?)+(HYP )?", {}, {"ID": IDENTITY, "BASELINE": POINTS, **PLACE}),
    "String": (
        r"(Shape )?(ALTERNATIVE )*(Glyph )*",
        {"CONTENT": r"(?s).*"},
        {"ID": IDENTITY, "WC": r"0(\.\d+)?|1(\.0+)?", **PLACE},
    ),
    "SP": ("", {}, {"ID": IDENTITY, **PLACE}),
    "Shape": (r"(Polygon|Ellipse|Circle) ", {}, {}),
    "Polygon": ("", {"POINTS": POINTS}, {}),
}


def test_alto_has_the_structure_of_its_schema(photo: Photo, tmp_path: Path) -> None:
    root = document(photo, "alto", tmp_path)
    identities = [node.get("ID") for node in root.iter() if node.get("ID")]
    assert len(identities) == len(set(identities))
    for node in root.iter():
        assert node.tag.startswith(ALTO)
        children, required, others = ALTO_4_4[node.tag.removeprefix(ALTO)]
        assert re.fullmatch(children, "".join(f"{child.tag.removeprefix(ALTO)} " for child in node)), node.tag
        assert set(required) <= set(node.attrib)
        for name, value in node.attrib.items():
            assert re.fullmatch((required | others)[name], value), (node.tag, name, value)


def test_page_is_valid_by_its_schema(photo: Photo, tmp_path: Path) -> None:
    etree = pytest.importorskip("lxml.etree")
    found = importlib.util.find_spec("ocrd_validators")
    if found is None or not found.submodule_search_locations:
        pytest.skip("PAGE's schema is not here: pip install --no-deps ocrd")
    schema = etree.XMLSchema(file=Path(found.submodule_search_locations[0], "page.xsd"))
    document(photo, "page", tmp_path)
    schema.assertValid(etree.parse(tmp_path / "x.page.xml"))


@pytest.mark.parametrize(
    ("name", "path", "text", "confidence"),
    [
        ("alto", f".//{ALTO}String", lambda node: node.get("CONTENT"), lambda node: node.get("WC")),
        (
            "page",
            f".//{PAGE}Word",
            lambda node: node.find(f"{PAGE}TextEquiv/{PAGE}Unicode").text or "",
            lambda node: node.find(f"{PAGE}TextEquiv").get("conf"),
        ),
    ],
)
def test_words_in_order_with_their_confidences(name, path, text, confidence, photo: Photo, tmp_path: Path) -> None:
    nodes = document(photo, name, tmp_path).findall(path)
    plain = [re.sub("[\x00\x07]", "\ufffd", word.text) for word in photo.words]
    assert [text(node) for node in nodes] == plain
    assert [float(confidence(node)) for node in nodes] == [pytest.approx(w.confidence, abs=1e-4) for w in photo.words]


def test_places_are_whole_pixels_inside_the_picture(photo: Photo, tmp_path: Path) -> None:
    alto, page = document(photo, "alto", tmp_path), document(photo, "page", tmp_path)
    outlines = [node.get("POINTS") for node in alto.iter(f"{ALTO}Polygon")]
    outlines += [node.get("points") for node in page.iter(f"{PAGE}Coords")]
    assert bool(outlines) == bool(photo.words)
    for outline in outlines:
        for x, y in (map(int, point.split(",")) for point in (outline or "").split()):
            assert 0 <= x <= photo.width
            assert 0 <= y <= photo.height
    for node in alto.iter(f"{ALTO}String"):
        left, top, wide, high = (int(node.get(side) or "") for side in PLACE)
        assert left + wide <= photo.width
        assert top + high <= photo.height


def test_baselines_run_along_the_foot_of_the_text(tmp_path: Path) -> None:
    photo = photos()["several lines"]
    lines = [node.get("BASELINE") for node in document(photo, "alto", tmp_path).iter(f"{ALTO}TextLine")]
    assert lines[:3] == ["10,50 160,50", "20,10 20,110", "60,120 100,100 140,120"]
    page = [node.get("points") for node in document(photo, "page", tmp_path).iter(f"{PAGE}Baseline")]
    assert page == lines


def test_which_page_it_was(tmp_path: Path) -> None:
    root = document(photos()["a page"], "alto", tmp_path)
    assert root.findtext(f".//{ALTO}fileName") == "scan.tif, page 3"
    page = root.find(f".//{ALTO}Page")
    assert page is not None
    assert page.get("PHYSICAL_IMG_NR") == "3"
