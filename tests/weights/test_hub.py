"""Models on the Hugging Face hub, which a server of this machine stands for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import TOKEN, hub

pytest.importorskip("huggingface_hub")

from wordsight.errors import ModelError
from wordsight.runtime import find_model, load_pack
from wordsight.weights.hub import _one_line

ROOT = Path(__file__).parents[2]


@pytest.fixture
def wordsight(tmp_path):
    """Runs a command in a process of its own, with a hub beside it; `wordsight.repositories` is what it holds."""
    with hub() as (address, repositories):

        def run(*arguments, token=TOKEN):
            environment = {
                **os.environ,
                "HF_ENDPOINT": address,
                "HF_HOME": str(tmp_path / "home"),
                "HF_TOKEN": token,
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "NO_PROXY": "127.0.0.1",
            }
            command = [sys.executable, "-m", "wordsight", "models", *map(str, arguments)]
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False
            )

        run.repositories = repositories
        yield run


def test_a_pack_goes_up_with_a_card_and_comes_back(wordsight, tmp_path):
    done = wordsight("push", "latin", "hf:me/my-latin")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/me/my-latin")
    files = wordsight.repositories["me/my-latin"]
    assert set(files) == {"README.md", "pack.json", "image.onnx", "memory.onnx", "visual.onnx"}
    card = files["README.md"].decode()
    assert card.startswith("---\nlicense: apache-2.0\nlibrary_name: wordsight\n")
    assert "wordsight models pull hf:me/my-latin" in card
    assert "wordsight read photo.jpg --model my-latin" in card
    assert str(ROOT) not in card

    done = wordsight("pull", "hf:me/my-latin", "--out", "here")
    assert done.returncode == 0, done.stderr
    assert load_pack(tmp_path / "here" / "my-latin").files == load_pack(find_model("latin")).files

    files["image.onnx"] = b"another"
    done = wordsight("pull", "hf:me/my-latin", "--out", "again")
    assert done.returncode == 1
    assert "is damaged or was changed" in done.stderr


@pytest.mark.parametrize("message", ["Got: no answer", "Got: no answer\nCheck your connection, and try again.\n"])
def test_a_hub_out_of_reach_is_one_line(message):
    with pytest.raises(ModelError) as caught, _one_line("me/x"):
        raise OSError(message)
    assert str(caught.value) == "hf:me/x: the hub cannot be reached (Got: no answer): check the network"


@pytest.mark.parametrize(
    ("arguments", "token", "complaint"),
    [
        (
            ["pull", "hf:me/none", "--out", "here"],
            TOKEN,
            "hf:me/none: the hub answers 404: there is no such repository",
        ),
        (["push", "small", "hf:me/small"], "hf_wrong", "the hub answers 401: log in with `hf auth login`"),
        (["push", "small", "me/small"], TOKEN, "give hf:OWNER/NAME"),
        (["pull", "hf:a/b/c", "--out", "here"], TOKEN, "is no name on the hub"),
    ],
)
def test_mistakes_are_one_line(wordsight, arguments, token, complaint):
    done = wordsight(*arguments, token=token)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_what_is_no_model_stays_here(tmp_path):
    from wordsight.weights.hub import push

    with pytest.raises(ModelError, match="is no model"):
        push(tmp_path, "me/nothing", [])


def test_a_card_of_ones_own_is_kept(tmp_path):
    from wordsight.models import checkpoint
    from wordsight.models.registry import preset
    from wordsight.weights.hub import card

    recognizer, cfg = preset("vitstr-compact")
    folder = checkpoint.save(recognizer(cfg), tmp_path / "mine")
    text = card(folder, "me/mine", {"licence": "not stated", "odd | said": "a\nb" + "x" * 400})
    assert "license: other" in text
    assert "wordsight models export mine --out mine-pack" in text
    assert "| odd \\| said | a b" in text
    assert "x..." in text
