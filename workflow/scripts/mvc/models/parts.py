"""The parts of the foundation models that stages open, and which files of each are read.

Only these are inputs of a stage, and only these are downloaded. Standard library only, since the
workflow reads this while it is parsed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

UNET, VAE, SCHEDULER = "unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"
ENCODER = "text_encoder/config.json"
# Where a model says which token its prompts are padded with. (The `tokenizer_config.json` of Stable
# Diffusion 2.x names another one than the U-Net was trained with.)
TOKENS = "tokenizer/special_tokens_map.json"
CLIP = "open_clip_config.json"
# Of transformers: what tokenises BLIP-2's text, either way, and what prepares its images.
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
DIFFUSERS = "diffusion_pytorch_model"
HALF = "fp16"  # diffusers' and transformers' name of weights in half precision


class Weights(NamedTuple):
    """Where weights are looked for: in a folder, under a name without its suffix."""

    folder: Path
    stem: str
    halved: bool = True  # whether its library also opens the variant in half precision

    @property
    def file(self) -> Path:
        return self.folder / f"{self.stem}.safetensors"

    @property
    def index(self) -> Path:
        return self.folder / f"{self.stem}.safetensors.index.json"

    @property
    def half(self) -> Path:
        """The same weights in half precision, which are opened where there are no others."""
        return self.folder / f"{self.stem}.{HALF}.safetensors"

    @property
    def variant(self) -> str | None:
        """What `from_pretrained` calls these weights."""
        whole = self.file.is_file() or self.index.is_file()
        return HALF if self.halved and not whole and self.half.is_file() else None

    def list_files(self) -> list[Path]:
        """The files that are opened: one, or an index and its parts, there or not."""
        if self.file.is_file() or not self.index.is_file():
            file = self.half if self.variant else self.file
            return [file] if file.is_file() else []
        shards = read_json(self.index).get("weight_map", {}).values()
        return [self.index, *sorted({self.folder / shard for shard in shards})]


def read_json(path: Path) -> dict:
    """Read a JSON file that holds a dictionary; an empty one where there is no file.

    Raises:
        ValueError: it holds something else; names it.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file ({error}): download it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no dictionary: download it again")
    return content


class Part(NamedTuple):
    """What is opened at once: the key of the section `models`, files, and weights without suffix.

    Of the files those that are there are read; the first must be.
    """

    key: str
    files: tuple[str, ...]
    weights: str = ""

    def find_weights(self, folder: Path) -> Weights:
        """Where the weights of this part lie in a folder."""
        place = folder / self.weights
        return Weights(place.parent, place.name, halved=self.key != "clip")


PARTS = {
    "captioner": Part(
        "captioner",
        (
            "config.json",
            "generation_config.json",
            *PROCESSORS,
            *(file for files in TOKENIZERS for file in files),
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "chat_template.jinja",
        ),
        "model",
    ),
    "clip": Part("clip", (CLIP, "bpe.txt.gz"), "open_clip_model"),
    "text": Part("diffusion", (UNET, ENCODER, TOKENS)),
    "unet": Part("diffusion", (UNET,), f"unet/{DIFFUSERS}"),
    "vae": Part("diffusion", (VAE,), f"vae/{DIFFUSERS}"),
    "scheduler": Part("diffusion", (SCHEDULER,)),
}
# A model that fits each key.
EXAMPLES = {
    "captioner": "Salesforce/blip2-opt-2.7b",
    "clip": "timm/vit_large_patch14_clip_224.openai",
    "diffusion": "stable-diffusion-v1-5/stable-diffusion-v1-5",
}


def list_model_files(models: Mapping[str, str], *parts: str) -> list[str]:
    """List the files of foundation models on this disk, so that a changed one is noticed.

    Args:
        models: by key, a folder, a hub name, or architecture/file of open_clip.
        parts: names of `PARTS`.
    """
    files: dict[str, None] = {}
    for part in parts:
        name = models[PARTS[part].key]
        file = name.partition("/")[2]
        if Path(name).is_dir():
            files |= dict.fromkeys(map(str, list_part_files(Path(name), part)))
        elif file.endswith(".safetensors") and Path(file).is_file():
            files[file] = None  # architecture/file of open_clip
    return list(files)


def list_part_files(folder: Path, part: str) -> list[Path]:
    """List the files of a folder that are read to open a part of a model."""
    opened = PARTS[part]
    files = [folder / file for file in opened.files if (folder / file).is_file()]
    return files + (opened.find_weights(folder).list_files() if opened.weights else [])


def list_patterns(part: str, *, variant: str | None = None) -> list[str]:
    """List the names of the files of a part on the hub, `*` for the numbers of weights in parts."""
    opened = PARTS[part]
    if not opened.weights:
        return list(opened.files)
    stem = f"{opened.weights}.{variant}" if variant else opened.weights
    weights = [f"{stem}.safetensors", f"{stem}.safetensors.index.json", f"{stem}-*.safetensors"]
    return [*opened.files, *weights]


def format_download(key: str, name: str | None = None) -> str:
    """The command that downloads the files of a model that are read, and no others.

    Args:
        key: of the section `models`.
        name: on the hub; None: of a model that fits.
    """
    patterns = {
        "captioner": ("*.json", "*.txt", "*.model", "model*.safetensors"),
        "clip": (CLIP, "open_clip_model.safetensors"),
        "diffusion": (
            "*/config.json",
            "scheduler/*",
            TOKENS,
            f"unet/{DIFFUSERS}.safetensors",
            f"vae/{DIFFUSERS}.safetensors",
        ),
    }[key]
    options = " ".join(f'--include "{pattern}"' for pattern in patterns)
    return f"hf download {name or EXAMPLES[key]} {options} --local-dir <folder>"
