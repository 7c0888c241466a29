"""CLIP by open_clip: token states of prompts, and the space shared by images and prompts.

Stable Diffusion reads the token states; CLIP compares images and prompts in the shared space.

Axes: n captions or images, m context tokens (77), d text width (768 for Stable Diffusion 1.x),
e width of the space that text and images share.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from mvc.console.progress import Meter
from mvc.core.batching import align_batches, fit_memory, pick_batch_size
from mvc.core.device import autocast
from mvc.core.finite import require_finite
from mvc.models import tower
from mvc.models.opening import (
    explain_missing,
    fetch_file,
    fetch_folder,
    refuse_faults,
    require_files,
    settle_model,
)
from mvc.models.parts import CLIP, ENCODER, TOKENS, UNET, read_json

WEIGHTS = "open_clip_model.safetensors"
REMEDY = "choose another models.clip"


def load_clip(name: str, *, device: str | torch.device = "cpu"):
    """Open a CLIP model for inference. Only safetensors are opened.

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
    folder, hub, options = Path(name), "", {}
    spec, _, pretrained = name.partition("/")
    if folder.is_dir():
        spec, pretrained = f"local-dir:{folder}", None
    elif not _is_weights(spec, pretrained):
        hub, file = find_repository(name)
        check_activation(spec, pretrained)
        options = _describe_images(spec, pretrained)
    with explain_missing("clip", name, hub=hub):
        if folder.is_dir():
            require_files(folder, "clip")
        if hub:
            pretrained = str(fetch_file(hub, file))
        model, preprocess = open_clip.create_model_from_pretrained(
            spec, pretrained=pretrained, precision="fp32", return_transform=True, **options
        )
        merges = folder / "bpe.txt.gz"
        vocabulary = {"bpe_path": str(merges)} if merges.is_file() else {}
        tokenizer = open_clip.get_tokenizer(spec, **vocabulary)
    return settle_model("clip", name, model, device), preprocess, tokenizer


def load_text_tower(name: str, diffusion: str, *, device: str | torch.device = "cpu"):
    """Open CLIP as the U-Net of a Stable Diffusion reads it, for the states of its text tower.

    Args:
        name: see `load_clip`.
        diffusion: folder or hub name of the Stable Diffusion, which says how.

    Returns:
        The model, cut after the last block that is read; its tokenizer; the id of the token that
        prompts are padded with, None for the end token.

    Raises:
        FileNotFoundError: see `load_clip`; or the U-Net's config is missing.
        ValueError: the tower is not the one that the U-Net was trained with.
    """
    with explain_missing("diffusion", diffusion, part="text_encoder"):
        folder = fetch_folder(diffusion, "text")
        require_files(folder, "text")
        unet, encoder = read_json(folder / UNET), read_json(folder / ENCODER)
        tokens = read_json(folder / TOKENS)
    clip = read_model_config(name)
    place = f"models.clip = {name}"
    refuse_faults("diffusion", diffusion, tower.list_text_faults(clip, place, unet, encoder))
    reading = tower.find_reading(unet, encoder, tokens)
    model, _, tokenizer = load_clip(name, device=device)
    blocks = find_text_tower(model).transformer
    print(
        f"text states after block {reading.layers or len(blocks.resblocks)} of "
        f"{len(blocks.resblocks)}, prompts padded with "
        f"{'the end token' if reading.padding is None else f'token {reading.padding}'}"
    )
    blocks.resblocks = blocks.resblocks[: reading.layers]
    return model, tokenizer, reading.padding


def read_model_config(name: str) -> Mapping:
    """The `model_cfg` of a CLIP model; see `load_clip`."""
    folder = Path(name)
    if folder.is_dir():
        return read_json(folder / CLIP).get("model_cfg", {})
    return open_clip.get_model_config(name.partition("/")[0]) or {}


def find_repository(name: str) -> tuple[str, str]:
    """Find the hub's repository of `architecture/pretrained` and its file of safetensors.

    open_clip itself falls back to a pickle where there are no safetensors.

    Raises:
        ValueError: open_clip does not know the model, or its weights are not on the hub.
    """
    architecture, _, pretrained = name.partition("/")
    place = open_clip.pretrained.get_pretrained_cfg(architecture, pretrained).get("hf_hub", "")
    repository, _, file = place.rpartition("/")
    if not repository:
        raise ValueError(
            f"models.clip = {name}: neither a folder nor `architecture/pretrained` known to "
            "open_clip; for instance ViT-L-14-quickgelu/openai"
        )
    return repository, str(Path(file or WEIGHTS).with_suffix(".safetensors"))


def _describe_images(architecture: str, pretrained: str) -> dict:
    """How images are prepared for published weights: arguments of open_clip."""
    trained = open_clip.pretrained.get_pretrained_cfg(architecture, pretrained)
    keys = ("mean", "std", "interpolation", "resize_mode")
    return {f"image_{key}": trained[key] for key in keys if key in trained}


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


def tokenize(
    tokenizer, prompts: Sequence[str], *, padding: int | None = None
) -> tuple[Int[Tensor, "n m"], list[int]]:
    """Token ids as Stable Diffusion's own tokenizer gives them, and each prompt's full length.

    Args:
        padding: id of the token that fills a row, which the U-Net reads too; None: the end token,
            as in Stable Diffusion 1.x. Stable Diffusion 2.x has open_clip's 0.

    Returns:
        Ids (n, m), cut at m tokens; the number of tokens that each prompt has before any cut,
        start and end token included.
    """
    start, end = tokenizer.all_special_ids[:2]
    m = tokenizer.context_length
    encoded = [[start, *tokenizer.encode(prompt), end] for prompt in prompts]
    fill = end if padding is None else padding
    ids = torch.full((len(encoded), m), fill, dtype=torch.int64)
    for row, tokens in zip(ids, encoded, strict=True):
        kept = tokens if len(tokens) <= m else [*tokens[: m - 1], end]
        row[: len(kept)] = torch.tensor(kept)
    return ids, [len(tokens) for tokens in encoded]


@torch.inference_mode()
def compute_text_states(model: nn.Module, ids: Int[Tensor, "n m"]) -> Float[Tensor, "n m d"]:
    """The text tower's states of every token after the final layer norm (Section 3.2).

    These are what the U-Net's cross-attention reads, not the pooled vector. They are few, all
    images depend on them and float16 keeps more of them than bfloat16: no half precision here.
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

    def embed_rows(rows: Sequence[int]) -> Float[Tensor, "b e"]:
        inputs = (pixels[rows].to(device).float() / 255 - mean) / std
        with autocast(device):
            embedded = model.encode_image(inputs)
        # The length is not exactly 1 if half precision divides by it.
        features = F.normalize(embedded.float(), dim=-1).cpu()
        return require_finite(features, "CLIP's image embeddings", REMEDY)

    compute = fit_memory(embed_rows, device=device, remedy=REMEDY)
    for rows, kept in align_batches(places, pick_batch_size(device, batch_size)):
        embeddings.append(compute(rows)[kept])
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
