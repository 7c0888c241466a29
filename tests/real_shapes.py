"""The real architectures with random weights, saved as the hub has them: what tests open."""

import json
from pathlib import Path

import open_clip
import timm
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from mvc.estimate.architectures import BLIP2, UNET, VAE
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2Processor

CLIP = "ViT-L-14-quickgelu"
CLIP2 = "ViT-H-14"  # of Stable Diffusion 2.x
# Its text encoder as `text_encoder/config.json` of Stable Diffusion 2.1 has it: one block less.
ENCODER2 = {
    "architectures": ["CLIPTextModel"],
    "bos_token_id": 0,
    "eos_token_id": 2,
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "num_attention_heads": 16,
    "num_hidden_layers": 23,
    "pad_token_id": 1,
    "projection_dim": 512,
    "vocab_size": 49408,
}
# That of Stable Diffusion 1.5: the text tower of CLIP.
ENCODER = ENCODER2 | {
    "hidden_act": "quick_gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
}
UNET2 = {"cross_attention_dim": 1024, "use_linear_projection": True}
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
# The pipeline's index without what this project does not read.
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.6.0",
    "scheduler": ["diffusers", "PNDMScheduler"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": [None, None],
    "tokenizer": [None, None],
    "safety_checker": [None, None],
    "feature_extractor": [None, None],
    "requires_safety_checker": False,
}
# Attention layers of the VAE as the files of Stable Diffusion 1.x call them.
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write_json(content: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def clip(folder: Path) -> Path:
    """open_clip's ViT-L-14-quickgelu as a folder, weights in half precision."""
    torch.manual_seed(0)
    model = open_clip.create_model(CLIP)
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    write_json(
        {"model_cfg": open_clip.get_model_config(CLIP), "preprocess_cfg": {}},
        folder / "open_clip_config.json",
    )
    save_file(state, folder / "open_clip_model.safetensors")
    return folder


def clip2(folder: Path) -> Path:
    """A CLIP with the text tower of ViT-H-14 and a small image tower, which is not compared."""
    torch.manual_seed(0)
    config = open_clip.get_model_config(CLIP2)
    config["vision_cfg"] = {"image_size": 28, "layers": 1, "width": 80, "patch_size": 14}
    model = open_clip.CLIP(**config)
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    write_json({"model_cfg": config, "preprocess_cfg": {}}, folder / "open_clip_config.json")
    save_file(state, folder / "open_clip_model.safetensors")
    return folder


def text_model_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The text tower's weights under the names of transformers' CLIPTextModel."""
    parts = {
        "attn.out_proj": "self_attn.out_proj",
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    state = {
        "embeddings.token_embedding.weight": model.token_embedding.weight,
        "embeddings.position_embedding.weight": model.positional_embedding,
        "final_layer_norm.weight": model.ln_final.weight,
        "final_layer_norm.bias": model.ln_final.bias,
    }
    for name, value in model.transformer.resblocks.state_dict().items():
        number, part = name.split(".", 1)
        at = f"encoder.layers.{number}"
        part, kind = part.replace("in_proj_", "in_proj.").rsplit(".", 1)
        if part == "attn.in_proj":
            for letter, chunk in zip("qkv", value.chunk(3), strict=True):
                state[f"{at}.self_attn.{letter}_proj.{kind}"] = chunk
        else:
            state[f"{at}.{parts[part]}.{kind}"] = value
    return state


def clip_tokenizer(folder: Path, *, pad: str = "<|endoftext|>") -> Path:
    """Stable Diffusion's `tokenizer/`, from the vocabulary that open_clip ships.

    Args:
        pad: the token that fills a row; 2.x has `!`, whose id is 0.
    """
    tokenizer = open_clip.SimpleTokenizer()
    start, end = tokenizer.all_special_ids[:2]
    names = {start: "<|startoftext|>", end: "<|endoftext|>"}
    vocabulary = {names.get(i, token): i for token, i in tokenizer.encoder.items()}
    write_json(vocabulary, folder / "vocab.json")
    pairs = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.get)
    merges = ["#version: 0.2", *map(" ".join, pairs)]
    (folder / "merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8")
    special = {"bos_token": "<|startoftext|>", "pad_token": pad} | dict.fromkeys(
        ("eos_token", "unk_token"), "<|endoftext|>"
    )
    write_json(special, folder / "special_tokens_map.json")
    settings = {"tokenizer_class": "CLIPTokenizer", "do_lower_case": True, "model_max_length": 77}
    write_json(settings | special, folder / "tokenizer_config.json")
    return folder


def stable_diffusion(folder: Path, *, layers: int = 2) -> Path:
    """Stable Diffusion 1.5's folder, weights in half precision; the VAE's old names kept.

    Args:
        layers: of each block of the U-Net.
    """
    torch.manual_seed(1)
    unet = UNet2DConditionModel.from_config(UNET | {"layers_per_block": layers}).half()
    unet.save_pretrained(folder / "unet")
    del unet
    vae = AutoencoderKL.from_config(VAE).half()
    vae.save_pretrained(folder / "vae")
    state = {}
    for name, value in vae.state_dict().items():
        if ".attentions." in name:
            for new, old in OLD_NAMES.items():
                name = name.replace(f".{new}.", f".{old}.")
        state[name] = value.contiguous()
    save_file(state, folder / "vae/diffusion_pytorch_model.safetensors", {"format": "pt"})
    scheduler(folder)
    write_json(INDEX, folder / "model_index.json")
    write_json(ENCODER, folder / "text_encoder/config.json")
    clip_tokenizer(folder / "tokenizer")
    return folder


def scheduler(folder: Path) -> Path:
    """The folder's `scheduler/` alone."""
    write_json(SCHEDULER, folder / "scheduler/scheduler_config.json")
    return folder


def blip2(folder: Path, *, layers: int) -> Path:
    """blip2-opt-2.7b with its real widths and few layers, in sharded safetensors."""
    torch.manual_seed(2)
    shallow = {key: dict(value) for key, value in BLIP2.items() if isinstance(value, dict)}
    for part in shallow.values():
        part["num_hidden_layers"] = layers
    shallow["vision_config"]["initializer_range"] = 0.02  # the default leaves a dead tower
    model = Blip2ForConditionalGeneration(Blip2Config.from_dict({**BLIP2, **shallow}))
    torch.nn.init.normal_(model.query_tokens, std=0.02)
    model.half().save_pretrained(folder, max_shard_size="300MB")
    _opt_tokenizer(folder)
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    pictures = {
        "image_processor_type": "BlipImageProcessor",
        "processor_class": "Blip2Processor",
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": mean,
        "image_std": std,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": 224, "width": 224},
    }
    write_json(pictures, folder / "preprocessor_config.json")
    whole = {"num_query_tokens": 32, "processor_class": "Blip2Processor"}
    write_json(whole, folder / "processor_config.json")
    tokenizer = Blip2Processor.from_pretrained(folder).tokenizer  # adds the token of the image
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def classifier(folder: Path, name: str) -> Path:
    """A network of timm, with random weights for the classes of the published ones."""
    torch.manual_seed(3)
    save_file(timm.create_model(name).state_dict(), folder / "model.safetensors")
    return folder


def _opt_tokenizer(folder: Path) -> None:
    """A byte-level BPE in GPT-2's files, as OPT has it: 50,265 tokens, then the image's."""
    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges: list[str] = []
    grown = ["Ġ", *LETTERS]
    while len(words) < 50265:
        longer = [(a, b) for a in grown for b in LETTERS][: 50265 - len(words)]
        merges += [f"{a} {b}" for a, b in longer]
        grown = [a + b for a, b in longer]
        words += grown
    write_json({word: i for i, word in enumerate(words)}, folder / "vocab.json")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", "utf-8")
    special = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    write_json(special, folder / "special_tokens_map.json")
    settings = {
        "tokenizer_class": "GPT2Tokenizer",
        "processor_class": "Blip2Processor",
        "add_bos_token": True,
        "add_prefix_space": False,
        "errors": "replace",
    }
    write_json(settings | special, folder / "tokenizer_config.json")
