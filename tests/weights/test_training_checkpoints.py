"""Checkpoints as real training code leaves them, optimiser and schedule and all: read as data, nothing executed."""

import pickle
import sys
import zipfile
from pathlib import Path

import foreign_states as theirs
import pytest
import torch
from foreign_states import SMALL, random

from wordsight.errors import ModelError
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.parseq import Parseq
from wordsight.weights.convert import convert, convert_foreign
from wordsight.weights.foreign import Foreign, open_foreign

REAL = sorted((Path(__file__).parent / "lightning").glob("*.ckpt"))
"""By PyTorch 1.13 and 2.0; lightning/make.py says how."""


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_files_by_the_real_libraries(file, monkeypatch):
    for name in ("omegaconf", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)  # not importable, where they are installed
    found = open_foreign(file)
    assert found.tensors.keys() == {"encoder.weight", "encoder.bias"}
    # after two steps from the same seed everywhere
    torch.testing.assert_close(
        found.tensors["encoder.weight"],
        torch.tensor([[-0.0063, 0.3078, -0.4771], [-0.4268, -0.2243, 0.1529]]),
        atol=1e-4,
        rtol=0,
    )
    said = found.facts["hyper_parameters"]
    said = said.get("config", said)
    assert (said["charset_train"], said["img_size"], said["betas"]) == ("abc", [32, 128], [0.9, 0.98])
    assert (said["decode_ar"], said["freeze"], said["nested"]) == (True, None, {"a": [1, "x"]})


def test_there_are_files_of_both_versions():
    assert len(REAL) == 4
    with pytest.raises(pickle.UnpicklingError):  # why `weights_only` is not enough
        torch.load(REAL[0], weights_only=True)


class Makes:
    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


class Self:
    """A pickle with an instruction that only old schedules have: it is read as data."""

    def __reduce__(self):
        return getattr, (torch.optim.lr_scheduler.OneCycleLR, "get_lr")


@pytest.mark.parametrize("function", [eval, exec, open, __import__, compile])
def test_code_beside_a_schedule_is_refused(tmp_path, function):
    trace = tmp_path / "trace"
    content = {"state_dict": {"a": torch.ones(2)}, "lr_schedulers": [Self()], "x": Makes(function, f"open({trace!r})")}
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(ModelError, match=rf"asks for (io\.)?{function.__name__}, which no weights need") as error:
        open_foreign(tmp_path / "last.ckpt")
    assert "nothing in it was executed" in str(error.value)
    assert not trace.exists()


def test_values_without_end_are_refused(tmp_path):
    """Lists of lists that are small in the file and do not end when they are written out."""
    bomb = ["x"]
    for _ in range(60):
        bomb = [bomb, bomb]
    content = {"state_dict": {"a": torch.ones(2)}, "hyper_parameters": bomb, "lr_schedulers": Self()}
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(ModelError, match="values nested too deeply"):
        open_foreign(tmp_path / "last.ckpt")


def test_damage_is_one_line(tmp_path):
    whole, refused = REAL[0].read_bytes(), []
    for at in range(200, len(whole), 397):
        (tmp_path / "a.ckpt").write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            open_foreign(tmp_path / "a.ckpt")
        except ModelError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert not any("\n" in message for message in refused)
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02ctorch.optim.lr_scheduler\nOneCycleLR\n(K\x01e.")
    with pytest.raises(ModelError, match="damaged or not a checkpoint"):
        open_foreign(tmp_path / "a.ckpt")


# ---- what the authors' code trains besides CLIP4STR itself


@pytest.fixture
def make():
    return random(torch.Generator().manual_seed(1))


def visual_branch(make):
    state = theirs.clip4str(SMALL, make)
    return {name: tensor for name, tensor in state.items() if not name.startswith("cross_decoder.")}


def str_adapter(make):
    state = {name: tensor for name, tensor in visual_branch(make).items() if name.startswith("clip_model.")}
    return state | theirs.decoder("decoder.", "", 64, make)


def converted(state, **said):
    return convert_foreign(Foreign(Path("x"), "a PyTorch file", state, {"hyper_parameters": said}))


def test_without_the_language_model_it_is_a_parseq_in_clips_tower(make):
    whole = converted(theirs.clip4str(SMALL, random(torch.Generator().manual_seed(1)))).model
    found = converted(visual_branch(make), use_language_model=False)
    assert isinstance(found.model, Parseq)
    assert not found.new
    assert any("no cross-modal branch" in line for line in found.found)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(found.model.encode(images), whole.encode(images))
    for name, tensor in found.model.visual_decoder.state_dict().items():
        assert torch.equal(tensor, whole.visual_decoder.state_dict()[name])
    assert found.model.cfg.mean == pytest.approx([0.48145466, 0.4578275, 0.40821073])


def test_without_a_common_width(make):
    """use_share_dim off: the decoder reads tokens that are not projected."""
    state = visual_branch(make) | theirs.decoder("visual_decoder.", "visual_decoder.", 128, make)
    model = converted(state, use_language_model=False, use_share_dim=False).model
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(model.encode(images), model.image_tower.tokens(images))
    assert model.visual_decoder.head.in_features == 128
    with pytest.raises(ModelError, match="96 wide, neither 64 nor 128"):
        converted(visual_branch(make) | theirs.decoder("visual_decoder.", "visual_decoder.", 96, make))
    with pytest.raises(ModelError, match="clip_cls_eot_feature"):
        converted(visual_branch(make), clip_cls_eot_feature=True)


def test_clip_adapter_as_the_authors_train_it(make, tmp_path):
    down, up = make(32, 64), make(64, 32)
    state = str_adapter(make) | {"adapter.fc.0.weight": down, "adapter.fc.2.weight": up}
    torch.save({"state_dict": state, "hyper_parameters": {"adapter_type": "linear"}}, tmp_path / "last.ckpt")
    found = convert(tmp_path / "last.ckpt")
    model, about = checkpoint.load(found.save(tmp_path / "ours"))
    assert (model.peft.kind, about["cross"]) == ("adapter", False)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        tower = converted(visual_branch(random(torch.Generator().manual_seed(2)))).model.image_tower
        tower.load_state_dict(model.image_tower.tower.state_dict())
        x = tower(images)
        expected = 0.2 * torch.relu(torch.relu(x @ down.T) @ up.T) + 0.8 * x  # spec 3.5
        torch.testing.assert_close(model.encode(images), expected)
    plain = converted(str_adapter(make), adapter_type="none").model
    assert plain.peft.kind == "frozen"


def test_other_adapters_are_called_by_their_names(make):
    for kind, name in (("ladder_pruning", "adapter.resblocks.0.attn.in_proj_weight"), ("attention", "adapter.attn.x")):
        with pytest.raises(ModelError, match=rf"with an adapter \({kind}\) that is not known here: only CLIP-Adapter"):
            converted(str_adapter(make) | {name: make(3, 3)}, adapter_type=kind)


def test_numbers_that_are_no_numbers_are_refused(make):
    state = theirs.clip4str(SMALL, make)
    assert isinstance(converted(state).model, Clip4Str)
    for wrong in (float("nan"), float("inf")):
        broken = {name: tensor.clone() for name, tensor in state.items()}
        broken["visual_decoder.head.weight"][3, 5] = wrong
        with pytest.raises(ModelError, match=r"1 tensor with numbers that are not finite \(visual_decoder\.head"):
            converted(broken)
