"""Progress of long work where there is no terminal."""

import pytest

from wordsight.cli.progress import progress, progress_or_lines


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("wordsight.cli.progress._EVERY", 0)
    assert list(progress_or_lines("ab", 2, "training")) == ["a", "b"]
    assert capsys.readouterr() == ("", "wordsight: training: 1 of 2\nwordsight: training: 2 of 2\n")
    assert list(progress_or_lines("a", None, "looking")) == ["a"]
    assert capsys.readouterr() == ("", "wordsight: looking: 1\n")


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress_or_lines("ab", 2, "training")) == ["a", "b"]
    assert list(progress("ab", 2, "reading")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")
