"""Architectures that `models` and `classifiers.models` name, built without weights.

A model's config comes from its folder, from the hub's cache, or from the well-known models here.
Everything is built on PyTorch's device `meta`, which takes no memory; no other file is read.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

UNET = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
    "cross_attention_dim": 768,
    "attention_head_dim": 8,  # the number of heads, for Stable Diffusion 1.x
    "norm_num_groups": 32,
    "norm_eps": 1e-05,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "act_fn": "silu",
}
VAE = {
    "sample_size": 512,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "norm_num_groups": 32,
    "act_fn": "silu",
}
SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
BLIP2 = {
    "num_query_tokens": 32,
    "image_token_index": 50265,
    "vision_config": {
        "hidden_size": 1408,
        "intermediate_size": 6144,
        "num_hidden_layers": 39,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
    },
    "qformer_config": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "cross_attention_frequency": 2,
        "encoder_hidden_size": 1408,
    },
    "text_config": {
        "model_type": "opt",
        "hidden_size": 2560,
        "ffn_dim": 10240,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "word_embed_proj_dim": 2560,
        "vocab_size": 50304,
        "max_position_embeddings": 2048,
        "bos_token_id": 2,
        "eos_token_id": 50118,  # a new line: captions are one line
        "pad_token_id": 1,
    },
}
STABLE_DIFFUSION = (
    "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "runwayml/stable-diffusion-v1-5",
    "CompVis/stable-diffusion-v1-4",
)
KNOWN = {
    "unet/config.json": dict.fromkeys(STABLE_DIFFUSION, UNET),
    "vae/config.json": dict.fromkeys(STABLE_DIFFUSION, VAE),
    "scheduler/scheduler_config.json": dict.fromkeys(STABLE_DIFFUSION, SCHEDULER),
    "config.json": {"Salesforce/blip2-opt-2.7b": BLIP2},
}


def build_unet(name: str) -> nn.Module:
    """Build the U-Net of `models.diffusion`, not widened."""
    from diffusers import UNet2DConditionModel

    config = read_config("diffusion", name, "unet/config.json")
    return _build_without_weights(lambda: UNet2DConditionModel.from_config(config))


def build_vae(name: str) -> nn.Module:
    """Build the VAE of `models.diffusion`."""
    from diffusers import AutoencoderKL

    config = read_config("diffusion", name, "vae/config.json")
    return _build_without_weights(lambda: AutoencoderKL.from_config(config))


def build_solver(name: str, *, order: int, karras: bool):
    """Build the solver on the noise schedule of `models.diffusion`."""
    from mvc.models.stable_diffusion import make_solver

    config = read_config("diffusion", name, "scheduler/scheduler_config.json")
    return make_solver(config, order=order, karras=karras)


def build_clip(name: str) -> nn.Module:
    """Build the model of `models.clip`: a folder, or open_clip's architecture before the slash."""
    import open_clip

    path = Path(name) / "open_clip_config.json"
    if path.is_file():
        config = json.loads(path.read_text(encoding="utf-8"))["model_cfg"]
    else:
        config = open_clip.get_model_config(name.partition("/")[0])
    if config is None:
        raise ValueError(_describe_unknown("clip", name, "ViT-L-14-quickgelu/openai"))
    custom = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    return _build_without_weights(lambda: kind(**config))


def build_captioner(name: str) -> nn.Module:
    """Build the BLIP-2 of `models.captioner`."""
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    config = Blip2Config.from_dict(dict(read_config("captioner", name, "config.json")))
    return _build_without_weights(lambda: Blip2ForConditionalGeneration(config))


def build_classifier(name: str, n_classes: int, *, size: int) -> nn.Module:
    """Build a model of `classifiers.models`, `wrn-<depth>-<width>` or timm's, for `size` pixels."""
    from mvc.training import networks, wide_resnet

    if wide_resnet.NAME.fullmatch(name):
        return _build_without_weights(lambda: wide_resnet.build(name, n_classes))
    import timm

    if not timm.is_model(name):
        raise ValueError(
            f"classifiers.models: {name!r}; must be wrn-<depth>-<width> or a model of timm"
        )
    options = networks.describe_size(name, (size, size))
    return _build_without_weights(lambda: timm.create_model(name, num_classes=n_classes, **options))


def explain_unfit(name: str, size: int) -> str:
    """Explain why a network takes no images of `size` pixels: its own words, or "" if it does."""
    try:
        build_classifier(name, 2, size=size)(torch.zeros(1, 3, size, size, device="meta"))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        return "" if "meta tensor" in reason else reason[:300]  # it reads values: left to the stage
    return ""


def read_config(key: str, name: str, part: str) -> Mapping:
    """Read a model's config: from its folder, from the hub's cache, or a well-known one."""
    from huggingface_hub import try_to_load_from_cache

    path = Path(name) / part
    if not path.is_file() and name.count("/") == 1 and not name.startswith((".", "/", "~")):
        cached = try_to_load_from_cache(name, part)
        path = Path(cached) if isinstance(cached, str) else path
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    if name in KNOWN[part]:
        return KNOWN[part][name]
    raise ValueError(_describe_unknown(key, name, ", ".join(KNOWN[part])))


def _describe_unknown(key: str, name: str, known: str) -> str:
    return (
        f"models.{key} = {name}: its architecture is unknown here; must be a folder with its "
        f"config, or one of {known}"
    )


def _build_without_weights(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build().eval().requires_grad_(False)
