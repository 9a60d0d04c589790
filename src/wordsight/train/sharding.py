"""Weights that are spread over devices (FSDP2), and put together again."""

from typing import Any

from torch import nn
from torch.distributed import get_world_size
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor


def shard(model: nn.Module, device_type: str) -> None:
    """Spreads every block of its towers, if any, and the rest as one, over all devices of the run, in place; once."""
    if any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        return
    mesh = init_device_mesh(device_type, (get_world_size(),))
    for tower in ("image_tower", "text_tower"):
        for block in getattr(getattr(model, tower, None), "blocks", ()):
            fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "loss")


def whole(model: Any) -> Any:
    """The model itself; where its weights are sharded, a copy with all of them. All ranks have to call this."""
    if not any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        return model
    state = {k: v.full_tensor() if isinstance(v, DTensor) else v for k, v in model.state_dict().items()}
    copy = type(model)(model.cfg)
    copy.load_state_dict(state, assign=True)
    return copy.eval()
