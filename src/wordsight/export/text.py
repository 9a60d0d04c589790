"""One line of text per line."""

from wordsight.export.format import Format

FORMAT = Format(lambda photo, *_: photo.text + "\n" if photo.lines else "")
