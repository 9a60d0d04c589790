import torch
from torch import nn
from torch.export import Dim
from torch.onnx._internal.exporter._registration import ONNXRegistry

from wordsight.weights.export import traced


def graph():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU()).eval()
    batch = ({0: Dim("batch", min=1), 1: Dim("length", min=1)},)
    return traced(module, (torch.zeros(2, 3, 4),), batch, ["x"], ["y"]).SerializeToString(deterministic=True)


def test_what_these_tests_export_in_a_hurry_is_the_same_to_the_last_bit(monkeypatch, hurried_exports):
    hurried = [graph(), graph()]
    with torch._dynamo.config.patch(fake_tensor_cache_enabled=True):
        monkeypatch.setattr(ONNXRegistry, "from_torchlib", staticmethod(hurried_exports))
        assert [graph(), graph()] == hurried
