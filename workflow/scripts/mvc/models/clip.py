"""CLIP by open_clip: token states of prompts, and the space shared by images and prompts.

Stable Diffusion reads the token states; CLIP compares images and prompts in the shared space.

Axes: n captions or images, m context tokens (77), d text width (768 for Stable Diffusion 1.x),
e width of the space that text and images share.
"""

from collections.abc import Sequence
from pathlib import Path

import open_clip
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from mvc.console.progress import Meter
from mvc.core.batching import align_batches, pick_batch_size
from mvc.models.opening import FILES, explain_missing, require_files


def load_clip(name: str, *, device: str | torch.device = "cpu"):
    """Open a CLIP model for inference.

    Args:
        name: `architecture/pretrained` as open_clip lists them (`ViT-L-14-quickgelu/openai`),
            `architecture/<path>.safetensors`, or a folder with `open_clip_config.json`,
            `open_clip_model.safetensors` and, where the vocabulary is not CLIP's own, `bpe.txt.gz`.

    Returns:
        The model (float32, frozen), its image transform and its tokenizer.

    Raises:
        FileNotFoundError: the folder or file does not exist, is not whole, or cannot be downloaded.
        ValueError: a name that open_clip does not know.
    """
    folder, hub = Path(name), ""
    spec, _, pretrained = name.partition("/")
    if folder.is_dir():
        spec, pretrained = f"local-dir:{folder}", None
    elif not _is_weights(spec, pretrained):
        hub = open_clip.pretrained.get_pretrained_cfg(spec, pretrained).get("hf_hub", "")
        if not hub:
            raise ValueError(
                f"models.clip = {name}: neither a folder nor `architecture/pretrained` known to "
                "open_clip; for instance ViT-L-14-quickgelu/openai"
            )
        check_activation(spec, pretrained)
    with explain_missing("clip", name, hub=hub.strip("/")):
        require_files(folder, FILES["clip"])
        model, preprocess = open_clip.create_model_from_pretrained(
            spec, pretrained=pretrained, precision="fp32", return_transform=True
        )
        merges = folder / "bpe.txt.gz"
        vocabulary = {"bpe_path": str(merges)} if merges.is_file() else {}
        tokenizer = open_clip.get_tokenizer(spec, **vocabulary)
    return model.to(device).eval().requires_grad_(False), preprocess, tokenizer


def check_activation(architecture: str, pretrained: str) -> None:
    """Refuse weights of open_clip that were trained with another activation than is built.

    open_clip only warns, and all states are others than those that the U-Net was trained with.

    Raises:
        ValueError: names the architecture to use.
    """
    trained = open_clip.pretrained.get_pretrained_cfg(architecture, pretrained)
    built = open_clip.get_model_config(architecture) or {}
    if trained.get("quick_gelu", False) != built.get("quick_gelu", False):
        plain = architecture.removesuffix("-quickgelu")
        fits = f"{plain}-quickgelu" if trained.get("quick_gelu") else plain
        raise ValueError(
            f"models.clip = {architecture}/{pretrained}: these weights were trained with another "
            f"activation than {architecture} has; set models.clip to {fits}/{pretrained}"
        )


def _is_weights(architecture: str, file: str) -> bool:
    """Whether a name is an architecture of open_clip and a file of weights for it."""
    known = open_clip.get_model_config(architecture) is not None
    return known and file.endswith(".safetensors") and Path(file).is_file()


def find_text_tower(model: nn.Module) -> nn.Module:
    """The module that holds the text tower: `model.text` (CustomTextCLIP) or the model itself.

    Raises:
        ValueError: the text tower is not CLIP's transformer.
    """
    tower = getattr(model, "text", model)
    if not hasattr(tower, "token_embedding"):
        raise ValueError(
            f"models.clip: text tower {type(tower).__name__} has no token embedding of its own; "
            "choose an open_clip model with CLIP's text transformer"
        )
    return tower


def find_text_width(model: nn.Module) -> int:
    """The width d of the text tower."""
    return find_text_tower(model).token_embedding.embedding_dim


def tokenize(tokenizer, prompts: Sequence[str]) -> tuple[Int[Tensor, "n m"], list[int]]:
    """Token ids as Stable Diffusion's own tokenizer gives them, and each prompt's full length.

    The padding is the end token, as in Stable Diffusion, and not open_clip's 0: the U-Net reads the
    padding rows too.

    Returns:
        Ids (n, m), cut at m tokens; the number of tokens that each prompt has before any cut,
        start and end token included.
    """
    start, end = tokenizer.all_special_ids[:2]
    m = tokenizer.context_length
    encoded = [[start, *tokenizer.encode(prompt), end] for prompt in prompts]
    ids = torch.full((len(encoded), m), end, dtype=torch.int64)
    for row, tokens in zip(ids, encoded, strict=True):
        kept = tokens if len(tokens) <= m else [*tokens[: m - 1], end]
        row[: len(kept)] = torch.tensor(kept)
    return ids, [len(tokens) for tokens in encoded]


@torch.inference_mode()
def compute_text_states(model: nn.Module, ids: Int[Tensor, "n m"]) -> Float[Tensor, "n m d"]:
    """The text tower's states of every token after the final layer norm (Section 3.2).

    These are what the U-Net's cross-attention reads, not the pooled vector.
    """
    tower = find_text_tower(model)
    x = tower.token_embedding(ids) + tower.positional_embedding[: ids.shape[1]]
    return tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask))


@torch.inference_mode()
def embed_images(
    pixels: UInt8[Tensor, "n 3 h w"],
    model: nn.Module,
    *,
    batch_size: int,
    places: Sequence[int] | None = None,
) -> Float[Tensor, "n e"]:
    """Embed images in the space that both towers share, with length 1, on the CPU.

    Args:
        pixels: at the size that the model takes, see `find_image_size`.
        model: an open_clip model.
        places: of the images in their set, see `batching.align_batches`; None: from 0 on.
    """
    device = next(model.parameters()).device
    mean, std = (
        torch.tensor(values, device=device).view(3, 1, 1)
        for values in (model.visual.image_mean, model.visual.image_std)
    )
    show, embeddings = Meter(len(pixels), "images embedded by CLIP").show, []
    places = range(len(pixels)) if places is None else places
    for rows, kept in align_batches(places, pick_batch_size(device, batch_size)):
        inputs = (pixels[rows].to(device).float() / 255 - mean) / std
        embeddings.append(model.encode_image(inputs, normalize=True).cpu()[kept])
        show(rows[kept[-1]] + 1)
    return torch.cat(embeddings)


@torch.inference_mode()
def embed_texts(prompts: Sequence[str], model: nn.Module, tokenizer) -> Float[Tensor, "k e"]:
    """Embed prompts in the space that both towers share, with length 1, on the CPU."""
    ids = tokenize(tokenizer, prompts)[0].to(next(model.parameters()).device)
    return model.encode_text(ids, normalize=True).cpu()


def find_image_size(model: nn.Module) -> int:
    """The side in pixels of the images that a CLIP model takes."""
    size = model.visual.image_size
    return int(size if isinstance(size, int) else size[0])
