"""How `wordsight read` writes what it read: the document of a format, and files for each picture."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wordsight.cli.options import say
from wordsight.errors import WordsightError, printable

if TYPE_CHECKING:
    from wordsight.export.format import Format
    from wordsight.results import Photo


def document_of(name: str, *, crops: bool, named: bool, chars: bool) -> "Format":
    """The format of that name; in text, several crops become lines `name TAB text`, several photos get headings."""
    from wordsight.export import find_format
    from wordsight.export.format import Format, title

    found = find_format(name)
    if name in ("json", "jsonl") and not chars:
        end = "\n" if name == "jsonl" else ""
        return replace(found, item=lambda photo, *_: photo.to_json(chars=False) + end)
    if name != "text" or not (crops or named):
        return found
    if crops:
        head = "{}\t".format if named else "".format
        return Format(lambda photo, *_: f"{head(printable(photo.source))}{photo.text}\n")
    return Format(lambda photo, *_: f"==> {printable(title(photo))} <==\n{found.item(photo, 1, None)}", separator="\n")


def remarks(photo: "Photo") -> Iterator[str]:
    """Remarks on a picture besides its problems: its notes, and that no text was found."""
    yield from photo.notes
    if not photo.text and not photo.problems:
        left_out = len(photo.rejected)
        words = "a word was" if left_out == 1 else f"{left_out} words were"
        yield "no text found" + (f"; {words} too doubtful, see --min-confidence" if left_out else "")


def put(path: Path, option: str, write: Callable[[], None]) -> bool:
    """Writes a file, creating its folder. Returns whether that worked; if not, it has printed why."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write()
    except (WordsightError, OSError) as error:
        say(f"{path} cannot be written ({error}): check {option}")
        return False
    return True


def free(path: Path, taken: set[Path], ending: str) -> Path:
    """A file name for what belongs to the picture `path`: never the picture's own, and none is given twice."""
    first, last = ending.rsplit(".", 1)
    number, name = 1, path.with_name(f"{path.stem}{ending}")
    while name in taken:
        number += 1
        name = path.with_name(f"{path.stem}{first}-{number}.{last}")
    taken.add(name)
    return name
