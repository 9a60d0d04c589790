"""Optimiser groups of the baselines."""

from typing import Any

from torch import nn

from wordsight.models.clipter import Contextual, fusion_groups


def param_groups(
    model: Contextual, encoder: str, lr: float, decoder_lr_scale: float, weight_decay: float
) -> list[dict[str, Any]]:
    """AdamW groups: what lies in the submodule `encoder`, the rest and fusions at a rate of their own.

    Tensors of one dimension (biases, norms) and embeddings do not decay.
    """
    tables = {f"{name}.weight" for name, part in model.named_modules() if isinstance(part, nn.Embedding)}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad or name.startswith("fusions."):
            continue
        decay = parameter.ndim >= 2 and name not in tables
        groups.setdefault((name.startswith(f"{encoder}."), decay), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": lr * (1.0 if encoding else decoder_lr_scale),
            "weight_decay": weight_decay if decay else 0.0,
        }
        for (encoding, decay), parameters in groups.items()
    ] + fusion_groups(model, lr * decoder_lr_scale, weight_decay)
