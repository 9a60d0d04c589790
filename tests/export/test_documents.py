"""Markdown, HTML, and files by their endings."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from wordsight import Line, Photo, Word, export
from wordsight.errors import ConfigError, ImageError
from wordsight.export import FORMATS, find_format


def box(x: float, y: float, w: float, h: float) -> tuple[tuple[float, float], ...]:
    return ((x, y), (x + w, y), (x + w, y + h), (x, y + h))


def line(*words: Word) -> Line:
    return Line(words, words[0].polygon)


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    path = tmp_path / "wall.png"
    Image.new("RGB", (320, 240), "red").save(path)
    coffee, shop = Word("Coffee", 0.98, box(10, 20, 75, 30)), Word("<shop>", 0.7, box(100, 20, 60, 30))
    return Photo(str(path), 320, 240, (line(coffee, shop), line(Word("a&b", 0.2, box(10, 80, 40, 30)))))


class Outline(HTMLParser):
    """Tags with their attributes, and the texts of words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "span":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_html_has_the_picture_the_outlines_and_the_words(photo: Photo) -> None:
    text = photo.to_format("html")
    page = Outline(text)
    assert page.words == ["Coffee", "<shop>", "a&b"]
    shapes = page.all("polygon")
    assert [shape["class"] for shape in shapes] == ["sure", "doubtful", "guess"]
    assert [shape["data-word"] for shape in shapes] == [span["data-word"] for span in page.all("span")]
    assert shapes[0]["points"] == "10.0,20.0 85.0,20.0 85.0,50.0 10.0,50.0"
    (image,) = page.all("image")
    data = base64.b64decode((image["href"] or "").removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(data)).size == (320, 240)
    # One file that needs nothing else.
    assert not re.findall(r"https?:|@import|url\(|\bsrc=|<link", text)


def test_html_without_a_picture_and_without_words() -> None:
    page = Outline(Photo("<bytes>", 320, 240, (line(Word("hi", 0.9, box(1, 2, 30, 40))),)).to_format("html"))
    assert page.words == ["hi"]
    assert not page.all("image")
    assert "no text found" in Photo("x.jpg", 320, 240, ()).to_format("html")


def test_large_pictures_are_embedded_smaller() -> None:
    photo = Photo("wide", 4000, 100, ())
    text = find_format("html").document([photo], Image.new("RGB", (4000, 100)))
    (image,) = Outline(text).all("image")
    data = base64.b64decode((image["href"] or "").removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(data)).size == (1600, 40)
    assert image["width"] == "4000"


def test_notebooks_show_a_fragment_without_scripts(photo: Photo) -> None:
    text = photo._repr_html_()
    assert Outline(text).words == ["Coffee", "<shop>", "a&b"]
    assert "data:image/jpeg" in text
    assert not re.findall("<script|<html|<body", text)
    Path(photo.source).unlink()
    assert "data:image/jpeg" not in photo._repr_html_()


def test_markdown_means_nothing_but_itself(photo: Photo) -> None:
    odd = line(*(Word(text, 1, box(0, 0, 9, 9)) for text in ("#1", "*bold*", "a_b", "[x](y)", "1.", "`c`", "<i>")))
    text = Photo("dir/a_b.jpg", 9, 9, (odd, line(Word("2.", 1, ())), line(Word("- 5", 1, ())))).to_format("markdown")
    assert text == ("## dir/a\\_b.jpg\n\n\\#1 \\*bold\\* a\\_b \\[x\\](y) 1. \\`c\\` \\<i\\>  \n2\\.  \n\\- 5\n")
    two = find_format("markdown").document([photo, Photo("b.tif", 9, 9, (), page=2)])
    assert two.endswith("## b.tif, page 2\n\n*no text found*\n")
    assert two.count("\n\n## ") == 1


def test_save_goes_by_the_ending(photo: Photo, tmp_path: Path) -> None:
    for name, ending in FORMATS.items():
        path = tmp_path / f"words{ending}"
        photo.save(str(path))
        if name != "page":  # it has the time
            assert path.read_bytes() == find_format(name).document([photo]).encode()
    photo.save(tmp_path / "WORDS.HTM")
    photo.save(tmp_path / "drawn.png")
    assert Image.open(tmp_path / "drawn.png").tobytes() == photo.draw().tobytes()
    photo.save(tmp_path / "drawn.jpg", Image.open(photo.source))
    assert Image.open(tmp_path / "drawn.jpg").size == (320, 240)


def test_save_says_what_is_wrong(photo: Photo, tmp_path: Path) -> None:
    for name, message in (
        ("words", "no format ends in nothing"),
        ("words.docx", r"no format ends in \.docx: choose \.txt"),
        ("words.xml", r"name it words\.alto\.xml or words\.page\.xml"),
        ("gone/words.txt", "cannot be written"),
        ("gone/words.png", "cannot be written"),
    ):
        with pytest.raises(ConfigError, match=message) as caught:
            photo.save(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="pass the picture"):
        Photo("<bytes>", 9, 9, ()).save(tmp_path / "drawn.png")


def test_unknown_formats_are_named(photo: Photo) -> None:
    with pytest.raises(ConfigError, match="there is no format 'docx': choose one of text, json"):
        photo.to_format("docx")


def test_a_format_is_a_module_and_a_line(monkeypatch: pytest.MonkeyPatch, photo: Photo, tmp_path: Path) -> None:
    import sys
    from types import ModuleType

    from wordsight.export.format import Format

    module = ModuleType("wordsight.export.shout")
    module.FORMAT = Format(lambda photo, number, image=None: photo.text.upper())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wordsight.export.shout", module)
    monkeypatch.setitem(FORMATS, "shout", ".shout")
    photo.save(tmp_path / "x.shout")
    assert (tmp_path / "x.shout").read_text() == "COFFEE <SHOP>\nA&B"


def test_a_format_is_one_file_and_one_line(photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from wordsight.export.format import Format\nFORMAT = Format(lambda photo, n, image=None: photo.text.upper())\n"
    )
    (tmp_path / "toy.py").write_text(code)
    monkeypatch.setattr(export, "__path__", [*export.__path__, str(tmp_path)])
    monkeypatch.setitem(FORMATS, "toy", ".toy")  # the line
    assert photo.to_format("toy") == "COFFEE <SHOP>\nA&B"
    photo.save(tmp_path / "wall.toy")
    assert (tmp_path / "wall.toy").read_text() == "COFFEE <SHOP>\nA&B"
