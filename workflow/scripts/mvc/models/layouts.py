"""What lies in the folder of a foundation model, under which names, and how to get what is missing.

Standard library only, since the workflow reads it while it is parsed: JSON files, and of weights no
more than the header. Functions return faults, one line each.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mvc.models.parts import Weights, read_json

PICKLES = (".bin", ".pt", ".pth", ".ckpt")
OTHERS = {".gguf": "GGUF", ".msgpack": "Flax", ".onnx": "ONNX", ".h5": "TensorFlow"}
PART = re.compile(r"-\d+-of-\d+")
POINTER = b"version https://git-lfs"  # in place of a file that git-lfs did not fetch
LARGEST_HEADER = 100_000_000  # bytes, the limit of the safetensors library
CONVERT = (
    "convert it with `python -c 'from diffusers import StableDiffusionPipeline as P; "
    'P.from_single_file("{file}").save_pretrained("<folder>")\'` and name that folder'
)
# What a single file holds, by the beginning of a tensor's name. The first that is found counts.
CONTENTS = {
    "lora": "a LoRA, which changes a model and is none: fuse it into its model, with diffusers' "
    "`load_lora_weights`, `fuse_lora` and `save_pretrained`, and name that folder",
    "emb_params": "a textual inversion, which is one word and no model: name a folder of Stable "
    "Diffusion",
    "double_blocks": "the transformer of Flux, not a Stable Diffusion 1.x or 2.x",
    "joint_blocks": "the transformer of Stable Diffusion 3, not a Stable Diffusion 1.x or 2.x",
    "conditioner.embedders": "Stable Diffusion XL, whose U-Net reads two text encoders; use a "
    "Stable Diffusion 1.x or 2.x",
    "control_model": "a ControlNet, which steers a model and is none: name a folder of Stable "
    "Diffusion",
    "model.diffusion_model": f"a Stable Diffusion as one file: {CONVERT}",
}


def read_header(path: Path) -> dict[str, dict]:
    """Read the header of a file of safetensors: the tensors by name.

    Raises:
        ValueError: it is no such file, or is cut off.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if start == POINTER[:8]:
            raise ValueError(
                f"{path} is a pointer of git-lfs, not the file itself: `git lfs pull` fetches it"
            )
        if len(start) < 8 or length > min(size, LARGEST_HEADER):
            raise ValueError(f"{path} ({size:,} bytes) is no whole safetensors: download it again")
        try:
            header = json.loads(file.read(length))
            tensors = {name: value for name, value in header.items() if name != "__metadata__"}
            end = max((value["data_offsets"][1] for value in tensors.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no safetensors file: download it again") from error
    if size < 8 + length + end:
        raise ValueError(
            f"{path} is cut off, {size:,} of {8 + length + end:,} bytes: download it again"
        )
    return tensors


def list_weights_faults(weights: Weights, download: str) -> Iterator[str]:
    """List why weights cannot be opened: missing, in another form, under another name, cut off.

    Args:
        download: the command that fetches them.
    """
    files = [file for file in weights.list_files() if file != weights.index]
    if not files:
        yield describe_missing_weights(weights, download)
    elif lost := [file.name for file in files if not file.is_file()]:
        yield (
            f"{weights.index} names {', '.join(lost)}, which is not there: {len(files)} parts "
            f"are needed; {download}"
        )
        return
    for file in files:
        try:
            read_header(file)
        except ValueError as error:
            yield str(error)


def describe_missing_weights(weights: Weights, download: str) -> str:
    """Describe what lies in the place of weights, and what to do about it."""
    wanted = f"{weights.file.name}, or its parts and {weights.index.name}"
    there = sorted(file for file in weights.folder.glob("*") if file.is_file())
    tensors = [file for file in there if file.suffix == ".safetensors"]
    variants = [file for file in tensors if file.name.startswith(f"{weights.stem}.")]
    pickles = [file for file in there if file.suffix in PICKLES]
    others = [file for file in there if file.suffix in OTHERS]
    if parts := [file for file in tensors if PART.search(file.name)]:
        return f"{parts[0]} is one of several parts without {weights.index}; {download}"
    if variants:
        found = choose_variant(variants)
        fix = f"`mv '{found}' '{weights.file}'`, which is opened in float32 all the same"
        return f"{found} is a variant, no {wanted}: {fix}"
    if len(tensors) == 1:
        found = tensors[0]
        return f"{found} has another name than {wanted}: `mv '{found}' '{weights.file}'`"
    if pickles:
        return f"{pickles[0]} is a pickle, which is never loaded; needed: {wanted}; {download}"
    if others:
        found = others[0]
        return f"{found} is of {OTHERS[found.suffix]}; needed: {wanted}; {download}"
    names = ", ".join(file.name for file in there[:10]) or "nothing"
    return f"{weights.folder}: no {wanted}; there is {names}; {download}"


def choose_variant(files: list[Path]) -> Path:
    """The variant to use of several: half precision, of averaged weights where both are there."""
    return min(files, key=lambda file: (".non_ema" in file.name, file.name))


def describe_file(path: Path) -> str:
    """Describe a file that is named in place of a model's folder, with the fix."""
    if path.suffix == ".safetensors":
        try:
            names = read_header(path)
        except ValueError as error:
            return str(error)
        for mark, content in CONTENTS.items():
            if any(mark in name for name in names):
                return f"a single file, {content.format(file=path)}"
        return "a single file; must be the folder of a model"
    if path.suffix in PICKLES:
        return (
            "a single file, and a pickle, which is never loaded; find the same model as a folder "
            "or as safetensors"
        )
    kind = OTHERS.get(path.suffix, "no model")
    return f"a single file ({kind}); must be the folder of a model with safetensors"


def locate_folder(folder: Path, mark: str) -> str:
    """Say where the folder that is meant lies: above, below, in the hub's cache; else what is here.

    Args:
        mark: a file, relative to the folder that is meant.
    """
    for above in (folder.parent, folder.parent.parent):
        if (above / mark).is_file() and not (folder / mark).is_file():
            return f"it is a part of a model: name {above}"
    below = sorted(folder.glob(f"*/{mark}")) or sorted(folder.glob(f"snapshots/*/{mark}"))
    if below:
        found = str(below[-1]).removesuffix(f"/{mark}")
        return f"the model is in a folder inside it: name {found}"
    names = sorted(path.name for path in folder.glob("*"))
    there = f"there is {', '.join(names[:10]) or 'nothing'}"
    for file in (folder / name for name in names):
        if file.suffix in (".safetensors", *PICKLES, *OTHERS) and file.is_file():
            return f"{there}; {file.name} is {describe_file(file)}"
    return there


def find_class(folder: Path) -> Mapping:
    """What a folder of diffusers or transformers says it is: `_class_name` or `model_type`."""
    for name in ("model_index.json", "config.json"):
        if content := read_json(folder / name):
            return content
    return {}
