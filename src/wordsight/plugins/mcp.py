"""A Model Context Protocol server with one tool, `read_image`: assistants read the words in pictures (extra `mcp`)."""

import base64
import binascii
from dataclasses import dataclass

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from wordsight import __version__
from wordsight.errors import WordsightError
from wordsight.imaging import Source
from wordsight.reader import Reader
from wordsight.results import Photo


@dataclass(frozen=True)
class ReadWord:
    """A word: what it says, how sure that is (0 to 1), and left, top, right, bottom in pixels."""

    text: str
    confidence: float
    box: list[int]


@dataclass(frozen=True)
class ReadPage:
    """A picture, or a page of a file of several."""

    page: int | None
    width: int
    height: int
    text: str
    words: list[ReadWord]
    problems: list[str]


@dataclass(frozen=True)
class ReadImage:
    """What was read."""

    pages: list[ReadPage]


def server(reader: Reader) -> MCPServer:
    """A server whose tool reads with `reader`."""
    made = MCPServer("wordsight", version=__version__, instructions="Reads the words in photos, scans and PDFs.")

    @made.tool(structured_output=True)
    def read_image(path: str | None = None, data: str | None = None, pages: str | None = None) -> ReadImage:
        """Reads the words in a picture: a photo, a scan or a PDF.

        Args:
            path: of a file on this machine. Give this or `data`.
            data: a picture in base64, or a data URI.
            pages: which of several pages, such as "1", "2-5" or "7-"; by default all.
        """
        try:
            photos = list(reader.read_pages(_source(path, data), pages))
        except WordsightError as error:
            raise ToolError(str(error)) from None
        return ReadImage([_page(photo) for photo in photos])

    return made


def _source(path: str | None, data: str | None) -> Source:
    if (path is None) == (data is None):
        raise ToolError("give either path or data")
    if path is not None:
        return path
    try:
        return base64.b64decode(str(data).split(",", 1)[-1], validate=False)
    except binascii.Error as error:
        raise ToolError(f"data is not base64 ({error})") from None


def _page(photo: Photo) -> ReadPage:
    words = [ReadWord(word.text, round(word.confidence, 3), [round(side) for side in word.box]) for word in photo]
    return ReadPage(photo.page, photo.width, photo.height, photo.text, words, problems=[*photo.problems, *photo.notes])
