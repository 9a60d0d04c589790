"""Finds phrases in pages, help texts, messages and docstrings that read as if translated. Part of `make lint`."""

import re
import subprocess
import sys
from pathlib import Path

PHRASES = {
    r"makes? no sense (as given|\(|:)": "invalid usage",
    r"as a speller would": "spell-checks",
    r"tells? (any recognizer|the model|it|a recognizer) of\b": "conditions it on, gives it",
    r"\b(is|are|be|been|was|were) told of\b": "takes, is given",
    r"\bhears? of (no )?scenes?\b": "takes scenes, has no scene context",
    r"\bgoes on where it was\b": "resumes",
    r"\bgoes on from (its|there|the last)\b": "resumes",
    r"the same command (then )?goes on\b": "resumes",
    r"appears when it is complete": "is written atomically",
    r"\b(climbs or falls|climb or fall)\b": "is skewed",
    r"spelled nearly so": "a similar word",
    r"\bcannot be had\b|\bto be had\b": "is not available",
    r"\bunless (he|they|it) (is|are) told otherwise\b": "by default",
    r"\bstands? on (its|their) heads?\b": "is upside down",
    r"\bof it alone\b": "only of it",
    r"\bof before\b": "earlier, older",
    r"\bfrom nothing\b": "from scratch",
    r"\bby turns\b": "alternately, in turn",
    r"\b(comes?|came) along\b": "ships with, accompanies",
    r"\blooks? at what is doubtful\b|what is doubtful (is|and)\b": "doubtful words",
}
"""What to look for, and what to write instead."""

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Prints each place as file, line and advice; the exit status is 1 if there is any."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [Path(name) for name in listed.split("\0") if name.endswith((".md", ".py", ".yaml", "Makefile"))]
    found = 0
    for file in files:
        if file.parts[0] in ("dev", "tests") or file == Path("tools/style.py"):
            continue
        text = (ROOT / file).read_text(encoding="utf-8")
        for phrase, better in PHRASES.items():
            for match in re.finditer(phrase.replace(" ", r"\s+"), text):
                line = text.count("\n", 0, match.start()) + 1
                print(f"{file}:{line}: {' '.join(match[0].split())!r}: {better}")
                found += 1
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
