import json

from typer.testing import CliRunner

from wordsight_research.cli.main import app


def run(*arguments):
    return CliRunner().invoke(app, ["context", *map(str, arguments)])


def test_an_experiment_in_three_files(tmp_path):
    small = ["--steps", 2, "--steps-one", 2, "--batch-size", 4, "--scenes", 20, "--test-scenes", 4, "--seeds", 1]
    done = run("oov", *small, "--encoder", "random", "-o", tmp_path)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "oov.json").read_text())
    assert found["encoder"] == "random"
    assert {arm["status"] for arm in found["arms"]} == {"done"}
    assert (tmp_path / "oov.md").read_text().startswith("# oov\n")
    assert "oov.json, oov.md" in done.output


def test_what_cannot_be_run_is_said(tmp_path):
    assert "choose one of dial" in str(run("magic").exception)
    assert "needs scenes of ic15, svt: give --data" in str(run("first-three").exception)
    assert "RECOGNIZER=FOLDER" in str(run("vlm", "--start", "parseq").exception)
    assert "no recognizer is called 'parsec'" in str(run("vlm", "--recognizer", "parsec").exception)
    # Nothing that was asked for is quietly left out
    assert "has no train/NAME/scenes.jsonl" in str(run("vlm", "--data", tmp_path).exception)
    assert "the recognizers of vlm are parseq" in str(run("vlm", "--start", "crnn=folder").exception)
