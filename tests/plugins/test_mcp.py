"""The MCP server, asked by the SDK's own client."""

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "reader"))  # word_cards

from word_cards import Board, CardReader

mcp = pytest.importorskip("mcp")

from wordsight import Reader  # noqa: E402
from wordsight.plugins.mcp import server  # noqa: E402

TEXTS = ["EXIT", "Cafe", "24h"]


@pytest.fixture
def scan(tmp_path: Path) -> tuple[Reader, Path]:
    """A reader of cards, and a file of two pages."""
    boards = []
    for text in TEXTS[:2]:
        board = Board(CardReader(TEXTS))
        board.put(text, 40, 40)
        boards.append(board)

    class Detector:
        def detect(self, image: np.ndarray) -> object:
            return boards[0].detect(image)

    pages = [Image.fromarray(board.image) for board in boards]
    path = tmp_path / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return Reader.of(boards[0].reader, Detector()), path


def ask(reader: Reader, **arguments: str) -> Any:
    async def call() -> Any:
        async with mcp.Client(server(reader)) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["read_image"]
            return await client.call_tool("read_image", arguments)

    return asyncio.run(call())


def test_a_file_is_read_page_by_page(scan: tuple[Reader, Path]) -> None:
    reader, path = scan
    result = ask(reader, path=str(path))
    assert not result.is_error
    pages = result.structured_content["pages"]
    assert [(page["page"], page["text"]) for page in pages] == [(1, "EXIT"), (2, "Cafe")]
    (word,) = pages[0]["words"]
    assert word["text"] == "EXIT"
    assert 0.8 < word["confidence"] <= 1
    left, top, right, bottom = word["box"]
    assert (left, top) == (40, 40)
    assert right > left
    assert bottom > top
    (second,) = ask(reader, path=str(path), pages="2").structured_content["pages"]
    assert second["text"] == "Cafe"


def test_a_picture_comes_in_base64_or_as_data_uri(scan: tuple[Reader, Path]) -> None:
    reader, path = scan
    text = base64.b64encode(path.read_bytes()).decode()
    for data in (text, f"data:image/tiff;base64,{text}"):
        assert len(ask(reader, data=data).structured_content["pages"]) == 2


def test_mistakes_are_one_line(scan: tuple[Reader, Path], tmp_path: Path) -> None:
    reader, path = scan
    for arguments, said in (
        ({}, "either path or data"),
        ({"path": "x", "data": "y"}, "either path or data"),
        ({"path": str(tmp_path / "absent.jpg")}, "does not exist"),
        ({"data": "a"}, "not base64"),
        ({"path": str(path), "pages": "9-1"}, "names no pages"),
    ):
        result = ask(reader, **arguments)
        assert result.is_error
        assert said in result.content[0].text
        assert "Traceback" not in result.content[0].text
