"""Opening other people's files: all packings, nothing executed, one line for everything that is wrong."""

import argparse
import io
import json
import pickle
import random
import sys
import types
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wordsight.errors import ModelError
from wordsight.weights.foreign import open_foreign


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(0)
    return {
        "visual.conv1.weight": torch.randn(4, 3, 2, 2, generator=generator),
        "visual.blocks.0.ln.weight": torch.randn(5, generator=generator).half(),
        "visual.blocks.0.strided": torch.randn(6, 8, generator=generator)[::2, 1::3],
        "visual.blocks.1.ln.weight": torch.randn(5, generator=generator).half(),
        "logit_scale": torch.tensor(4.6),
        "context_length": torch.tensor(77),
    }


def module_of(state):
    """A module with such a state dict."""
    root = nn.Module()
    for name, tensor in state.items():
        *path, last = name.split(".")
        place = root
        for step in path:
            if not hasattr(place, step):
                place.add_module(step, nn.Module())
            place = getattr(place, step)
        place.register_buffer(last, tensor)
    return root


def same(found, state):
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name
    return True


@pytest.fixture
def shared(state):
    return {k: v.contiguous() for k, v in state.items()}


def test_pickled(state, tmp_path):
    torch.save(state, tmp_path / "zip.pt")
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    torch.save(module_of(state).state_dict(), tmp_path / "ordered.pt")
    for name in ("zip.pt", "old.pt", "ordered.pt"):
        found = open_foreign(tmp_path / name)
        assert same(found.tensors, state)
        assert found.packed == "a PyTorch file"


def test_safetensors_whatever_it_is_called(shared, tmp_path):
    save_file(shared, tmp_path / "weights.ckpt")
    assert same(open_foreign(tmp_path / "weights.ckpt").tensors, shared)


@pytest.mark.filterwarnings("ignore")
def test_torchscript_archive(state, tmp_path):
    torch.jit.script(module_of(state)).save(tmp_path / "openai.pt")
    with pytest.raises(RuntimeError, match="weights_only"):  # why there is a reader of our own
        torch.load(tmp_path / "openai.pt", weights_only=True)
    found = open_foreign(tmp_path / "openai.pt")
    assert found.packed == "a TorchScript archive"
    assert same(found.tensors, state)


@pytest.mark.filterwarnings("ignore")
def test_torchscript_attributes_of_other_kinds_are_no_tensors(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.sizes, self.more, self.ratio = [1, 2], [torch.ones(2)], 0.5
            self.parts = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))

        def forward(self, x):
            return self.parts(x) * self.ratio + self.more[0].sum() + self.sizes[0]

    net = Net()
    torch.jit.script(net).save(tmp_path / "net.pt")
    assert same(open_foreign(tmp_path / "net.pt").tensors, net.state_dict())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_dropped(state, tmp_path, prefix):
    wrapped = {prefix + k: v for k, v in state.items()}
    torch.save({"epoch": 3, "state_dict": wrapped, "optimizer": {"state": {}}}, tmp_path / "a.pt")
    assert same(open_foreign(tmp_path / "a.pt").tensors, state)


def test_training_checkpoint_keeps_its_hyper_parameters(state, tmp_path):
    facts = {"charset_train": "abc", "img_size": [32, 128], "dropout": 0.1}
    torch.save({"state_dict": state, "hyper_parameters": facts, "epoch": 1}, tmp_path / "last.ckpt")
    found = open_foreign(tmp_path / "last.ckpt")
    assert same(found.tensors, state)
    assert found.facts["hyper_parameters"] == facts


@pytest.mark.parametrize("container", ["model", "model_state_dict", "module"])
def test_other_containers(state, tmp_path, container):
    torch.save({container: state, "args": argparse.Namespace(lr=0.1)}, tmp_path / "a.pth")
    assert same(open_foreign(tmp_path / "a.pth").tensors, state)


def test_what_training_frameworks_leave_in_checkpoints(state, tmp_path, monkeypatch):
    """Classes of Hydra and of old schedulers are neither needed nor imported."""
    made = types.ModuleType("omegaconf.listconfig")
    made.ListConfig = type("ListConfig", (), {"__module__": "omegaconf.listconfig"})
    monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
    monkeypatch.setitem(sys.modules, "omegaconf.listconfig", made)
    sizes = made.ListConfig()
    sizes.content = [32, 128]

    class Curve:  # OneCycleLR's anneal_func in a checkpoint of torch 1.12
        def __reduce__(self):
            return getattr, (torch.optim.lr_scheduler.OneCycleLR, "_annealing_cos")

    content = {"state_dict": state, "hyper_parameters": {"img_size": sizes}, "lr_schedulers": [{"anneal": Curve()}]}
    torch.save(content, tmp_path / "last.ckpt")
    monkeypatch.delitem(sys.modules, "omegaconf.listconfig")
    assert same(open_foreign(tmp_path / "last.ckpt").tensors, state)
    assert "omegaconf.listconfig" not in sys.modules


def test_folder_with_parts(shared, tmp_path):
    names = sorted(shared)
    parts = {"model-00001-of-00002.safetensors": names[:3], "model-00002-of-00002.safetensors": names[3:]}
    for part, inside in parts.items():
        save_file({name: shared[name] for name in inside}, tmp_path / part)
    weight_map = {name: part for part, inside in parts.items() for name in inside}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    found = open_foreign(tmp_path)
    assert same(found.tensors, shared)
    assert found.facts == {"config.json": {"model_type": "clip"}}
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model-00002-of-00002\.safetensors cannot be read"):
        open_foreign(tmp_path)
    weight_map = dict.fromkeys(names, "../elsewhere.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelError, match="not a plain file name"):
        open_foreign(tmp_path)


def test_folder_with_one_file_of_any_name(state, tmp_path):
    torch.save(state, tmp_path / "something.bin")
    (tmp_path / "README.md").write_text("# weights")
    assert same(open_foreign(tmp_path).tensors, state)
    torch.save(state, tmp_path / "other.bin")
    with pytest.raises(ModelError, match="2 checkpoints: pass the file"):
        open_foreign(tmp_path)
    torch.save(state, tmp_path / "open_clip_pytorch_model.bin")
    assert same(open_foreign(tmp_path).tensors, state)


class Malice:
    """Creates a file when it is unpickled."""

    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


def malicious(kind, path):
    code = f"open({str(path)!r}, 'w')"
    match kind:
        case "open":
            return Malice(open, str(path), "w")
        case "exec":
            return Malice(exec, code)
        case "eval":
            return Malice(eval, code)
        case "system":
            return Malice(__import__("os").system, f"touch {path}")
    raise AssertionError(kind)


@pytest.mark.parametrize("packing", ["zip", "old", "plain", "torchscript", "folder"])
@pytest.mark.parametrize("kind", ["open", "exec", "eval", "system"])
def test_a_malicious_pickle_is_refused_and_not_executed(state, tmp_path, kind, packing):
    trace = tmp_path / "it-was-executed"
    content = {"state_dict": state, "x": malicious(kind, trace)}
    file = tmp_path / "a" / "pytorch_model.bin"
    file.parent.mkdir()
    match packing:
        case "zip" | "folder":
            torch.save(content, file)
        case "old":
            torch.save(content, file, _use_new_zipfile_serialization=False)
        case "plain":
            file.write_bytes(pickle.dumps(content["x"], protocol=2))
        case "torchscript":
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("clip/data.pkl", pickle.dumps(content["x"], protocol=2))
                archive.writestr("clip/constants.pkl", pickle.dumps((), protocol=2))
                archive.writestr("clip/code/__torch__.py", "")
    with pytest.raises(ModelError) as error:
        open_foreign(file.parent if packing == "folder" else file)
    assert not trace.exists()
    assert "\n" not in str(error.value)
    assert str(file.parent) in str(error.value)
    if packing != "torchscript":
        assert "nothing in it was executed" in str(error.value)
    # and it would have been
    pickle.loads(pickle.dumps(content["x"]))
    assert trace.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a checkpoint"),
        (b"hello, this is a text and no checkpoint", "is not a checkpoint"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "is not a checkpoint"),
        (b"PK\x03\x04" + bytes(64), "damaged"),
        (pickle.dumps({"a": [1, 2]}, protocol=2), "not a checkpoint"),
        (pickle.dumps({"a": [1, 2]}, protocol=4), r"none that torch\.save wrote \(Unsupported operand 149\)"),
    ],
)
def test_what_is_no_checkpoint(tmp_path, content, message):
    file = tmp_path / "weights.pt"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=message) as error:
        open_foreign(file)
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("content", [{"epoch": 1}, [torch.ones(2)], torch.ones(3), {"state_dict": {}}])
def test_a_pytorch_file_without_a_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"not a state dict|without tensors"):
        open_foreign(tmp_path / "a.pt")


def test_zips_of_other_kinds(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ModelError, match="damaged or not a checkpoint"):
        open_foreign(tmp_path / "a.zip")


def test_nothing_there(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        open_foreign(tmp_path / "nowhere.pt")
    with pytest.raises(ModelError, match="holds no checkpoint"):
        open_foreign(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_refused_in_one_line(state, shared, tmp_path):
    """Bytes changed and files cut at random: a ModelError or, where the damage does not matter, tensors."""
    torch.save({"state_dict": state, "hyper_parameters": {"a": 1}}, tmp_path / "zip")
    torch.save(state, tmp_path / "old", _use_new_zipfile_serialization=False)
    torch.jit.script(module_of(state)).save(tmp_path / "script")
    save_file(shared, tmp_path / "safe")
    dice, refused = random.Random(0), []
    for kind in ("zip", "old", "script", "safe"):
        whole = (tmp_path / kind).read_bytes()
        for _ in range(150):
            damaged = bytearray(whole)
            if dice.random() < 0.3:
                del damaged[dice.randrange(len(damaged)) :]
            else:
                for _ in range(dice.choice((1, 3, 20))):
                    damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            (tmp_path / "damaged").write_bytes(damaged)
            try:
                open_foreign(tmp_path / "damaged")
            except ModelError as error:
                refused.append(str(error))
    assert len(refused) > 200
    assert not any("\n" in message for message in refused)


def test_pickles_with_more_than_they_should_have(tmp_path):
    """Modules that contain themselves, tensors larger than their storage."""

    def archive(pickled, numbers=b""):
        with zipfile.ZipFile(tmp_path / "a.pt", "w") as out:
            out.writestr("clip/data.pkl", pickled)
            out.writestr("clip/data/0", numbers)
            out.writestr("clip/constants.pkl", b"\x80\x02).")
            out.writestr("clip/code/__torch__.py", "")
        return tmp_path / "a.pt"

    itself = b"\x80\x02c__torch__\nA\nq\x00)\x81q\x01}(X\x01\x00\x00\x00ah\x01ub."
    with pytest.raises(ModelError, match="nested too deeply"):
        open_foreign(archive(itself))
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00(K\x09t(K\x01t\x89)tR"
    module = b"\x80\x02c__torch__\nA\n)\x81}(X\x01\x00\x00\x00a" + tensor + b"ub."
    with pytest.raises(ModelError, match="larger than its storage"):
        open_foreign(archive(module, bytes(8)))
    assert open_foreign(archive(module.replace(b"K\x09t", b"K\x02t"), bytes(8))).tensors["a"].tolist() == [0, 0]
    with pytest.raises(ModelError, match="has 4 bytes, not 8"):
        open_foreign(archive(module, bytes(4)))


def test_the_reader_of_archives_calls_nothing(monkeypatch):
    from wordsight.weights import pickles

    for name in ("loads", "load", "Unpickler"):
        monkeypatch.setattr(pickle, name, lambda *_: pytest.fail("a pickle was loaded"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("clip/data.pkl", pickle.dumps(Malice(pytest.fail, "it was called"), protocol=2))
    assert pickles.read_torchscript(zipfile.ZipFile(buffer)) == {}
