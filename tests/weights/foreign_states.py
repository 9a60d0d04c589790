"""State dicts with the names and shapes that other libraries give them, of any size, without those libraries.

`make` makes a tensor of a shape: small random ones to compute with, or ones that take no memory for the full sizes.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Make = Callable[..., Tensor]
State = dict[str, Tensor]

CLIP_SIZES = {
    # by name: patch, width, layers, embed_dim, text layers, input size
    "ViT-B-32": (32, 768, 12, 512, 12, 224),
    "ViT-B-16": (16, 768, 12, 512, 12, 224),
    "ViT-L-14": (14, 1024, 24, 768, 12, 224),
    "ViT-L-14-336": (14, 1024, 24, 768, 12, 336),
    "ViT-H-14": (14, 1280, 32, 1024, 24, 224),
}
SMALL = (8, 128, 2, 64, 2, 32)


def random(generator: torch.Generator) -> Make:
    return lambda *shape: torch.randn(shape, generator=generator) * 0.1


def weightless(*shape: int) -> Tensor:
    """One number, seen as a whole tensor."""
    return torch.zeros(()).expand(shape)


def openai_blocks(prefix: str, width: int, layers: int, make: Make) -> State:
    state = {}
    for i in range(layers):
        block = f"{prefix}transformer.resblocks.{i}."
        state |= {
            f"{block}attn.in_proj_weight": make(3 * width, width),
            f"{block}attn.in_proj_bias": make(3 * width),
            f"{block}attn.out_proj.weight": make(width, width),
            f"{block}attn.out_proj.bias": make(width),
            f"{block}ln_1.weight": make(width),
            f"{block}ln_1.bias": make(width),
            f"{block}mlp.c_fc.weight": make(4 * width, width),
            f"{block}mlp.c_fc.bias": make(4 * width),
            f"{block}mlp.c_proj.weight": make(width, 4 * width),
            f"{block}mlp.c_proj.bias": make(width),
            f"{block}ln_2.weight": make(width),
            f"{block}ln_2.bias": make(width),
        }
    return state


def openai_clip(size: tuple[int, ...], make: Make, vocab_size: int = 49408) -> State:
    """OpenAI's and open_clip's, without what only one of them has."""
    patch, width, layers, embed_dim, text_layers, pixels = size
    return {
        "positional_embedding": make(77, embed_dim),
        "text_projection": make(embed_dim, embed_dim),
        "logit_scale": make(),
        "visual.class_embedding": make(width),
        "visual.positional_embedding": make((pixels // patch) ** 2 + 1, width),
        "visual.proj": make(width, embed_dim),
        "visual.conv1.weight": make(width, 3, patch, patch),
        "visual.ln_pre.weight": make(width),
        "visual.ln_pre.bias": make(width),
        **openai_blocks("visual.", width, layers, make),
        "visual.ln_post.weight": make(width),
        "visual.ln_post.bias": make(width),
        **openai_blocks("", embed_dim, text_layers, make),
        "token_embedding.weight": make(vocab_size, embed_dim),
        "ln_final.weight": make(embed_dim),
        "ln_final.bias": make(embed_dim),
    }


def openai_extras(pixels: int) -> State:
    """What OpenAI's own files have besides."""
    sizes = {"input_resolution": pixels, "context_length": 77, "vocab_size": 49408}
    return {name: torch.tensor(size) for name, size in sizes.items()}


def hugging_face(state: State) -> State:
    """OpenAI's names and layouts as those of transformers' CLIPModel."""
    renamed = {
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "logit_scale": "logit_scale",
    }
    parts = {
        "visual.ln_pre.": "vision_model.pre_layrnorm.",
        "visual.ln_post.": "vision_model.post_layernorm.",
        "ln_final.": "text_model.final_layer_norm.",
        "visual.transformer.resblocks.": "vision_model.encoder.layers.",
        "transformer.resblocks.": "text_model.encoder.layers.",
        ".attn.out_proj.": ".self_attn.out_proj.",
        ".ln_1.": ".layer_norm1.",
        ".ln_2.": ".layer_norm2.",
        ".c_fc.": ".fc1.",
        ".c_proj.": ".fc2.",
    }
    out = {
        "visual_projection.weight": state["visual.proj"].T.contiguous(),
        "text_projection.weight": state["text_projection"].T.contiguous(),
    }
    for name, tensor in state.items():
        if name in ("visual.proj", "text_projection"):
            continue
        if name in renamed:
            out[renamed[name]] = tensor
            continue
        for ours, theirs in parts.items():
            if name.startswith(ours) or ours.startswith("."):
                name = name.replace(ours, theirs, 1)
        if "in_proj_" in name:
            for part, chunk in zip("qkv", tensor.chunk(3), strict=True):
                out[name.replace("attn.in_proj_", f"self_attn.{part}_proj.")] = chunk.clone()
        else:
            out[name] = tensor
    positions = {"vision_model": "visual.positional_embedding", "text_model": "positional_embedding"}
    for model, ours in positions.items():
        out[f"{model}.embeddings.position_ids"] = torch.arange(len(state[ours]))[None]
    return out


def decoder(layers: str, rest: str, width: int, make: Make, characters: int = 94, depth: int = 1) -> State:
    """A PARSeq decoder with 26 positions."""
    state = {
        f"{rest}pos_queries": make(1, 26, width),
        f"{rest}text_embed.embedding.weight": make(characters + 3, width),
        f"{rest}head.weight": make(characters + 1, width),
        f"{rest}head.bias": make(characters + 1),
        f"{layers}norm.weight": make(width),
        f"{layers}norm.bias": make(width),
    }
    for i in range(depth):
        layer = f"{layers}layers.{i}."
        for attention in ("self_attn", "cross_attn"):
            state |= {
                f"{layer}{attention}.in_proj_weight": make(3 * width, width),
                f"{layer}{attention}.in_proj_bias": make(3 * width),
                f"{layer}{attention}.out_proj.weight": make(width, width),
                f"{layer}{attention}.out_proj.bias": make(width),
            }
        state |= {
            f"{layer}linear1.weight": make(4 * width, width),
            f"{layer}linear1.bias": make(4 * width),
            f"{layer}linear2.weight": make(width, 4 * width),
            f"{layer}linear2.bias": make(width),
        }
        for norm in ("norm1", "norm2", "norm_q", "norm_c"):
            state |= {f"{layer}{norm}.weight": make(width), f"{layer}{norm}.bias": make(width)}
    return state


def clip4str(size: tuple[int, ...], make: Make, vocab_size: int = 49408) -> State:
    """CLIP4STR as released."""
    embed_dim = size[3]
    return {
        **{f"clip_model.{k}": v for k, v in openai_clip(size, make, vocab_size).items()},
        **decoder("visual_decoder.", "visual_decoder.", embed_dim, make),
        **decoder("cross_decoder.", "cross_decoder.", embed_dim, make),
    }


def timm_vit(
    width: int,
    layers: int,
    patch: tuple[int, int],
    tokens: int,
    make: Make,
    *,
    class_token: bool = True,
    bias: bool = True,
) -> State:
    """timm's VisionTransformer without a head."""
    state = {
        "pos_embed": make(1, tokens + int(class_token), width),
        "patch_embed.proj.weight": make(width, 3, *patch),
        "patch_embed.proj.bias": make(width),
        "norm.weight": make(width),
        "norm.bias": make(width),
    }
    if class_token:
        state["cls_token"] = make(1, 1, width)
    for i in range(layers):
        block = f"blocks.{i}."
        state |= {
            f"{block}norm1.weight": make(width),
            f"{block}norm1.bias": make(width),
            f"{block}attn.qkv.weight": make(3 * width, width),
            f"{block}attn.proj.weight": make(width, width),
            f"{block}attn.proj.bias": make(width),
            f"{block}norm2.weight": make(width),
            f"{block}norm2.bias": make(width),
            f"{block}mlp.fc1.weight": make(4 * width, width),
            f"{block}mlp.fc1.bias": make(4 * width),
            f"{block}mlp.fc2.weight": make(width, 4 * width),
            f"{block}mlp.fc2.bias": make(width),
        }
        if bias:
            state[f"{block}attn.qkv.bias"] = make(3 * width)
    return state


def parseq(width: int, layers: int, patch: tuple[int, int], tokens: int, make: Make, prefix: str = "") -> State:
    """PARSeq as released."""
    encoder = timm_vit(width, layers, patch, tokens, make, class_token=False)
    state = {f"encoder.{k}": v for k, v in encoder.items()} | decoder("decoder.", "", width, make)
    return {prefix + k: v for k, v in state.items()}
