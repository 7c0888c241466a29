"""Fetching foundation models; errors of missing or incomplete ones, with what to do about them.

Only safetensors are opened: the older `.bin`, `.pt` and `.ckpt` files are pickles, which can run
any code.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from mvc.core.device import move_model
from mvc.core.finite import require_finite_weights
from mvc.models.parts import HALF, PARTS, format_download, list_patterns

WHAT = {"captioner": "BLIP-2 model", "clip": "CLIP model", "diffusion": "U-Net"}
# What to change where a model's weights do not fit.
REMEDIES = {
    "captioner": "write captions of your own (captions.file), or set captions.describe to false",
    "clip": "choose a smaller one",
    "diffusion": "choose a smaller one",
}
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def fetch_folder(name: str | Path, *parts: str) -> Path:
    """The folder of a model: its own, or of a hub's name the cache's, once the parts are there.

    Only the files that are read are downloaded, and of weights only safetensors, in half precision
    where there are no others. Without network, or with HF_HUB_OFFLINE=1, the cache must hold them.

    Raises:
        OSError: the hub has no such model, cannot be reached, or lacks a file.
    """
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(str(name), allow_patterns=_list_patterns(parts)))
    halved = [
        p for p in parts if PARTS[p].weights and not PARTS[p].find_weights(folder).list_files()
    ]
    if halved:
        patterns = _list_patterns(halved, variant=HALF)
        folder = Path(snapshot_download(str(name), allow_patterns=patterns))
    return folder


def fetch_file(repository: str, file: str) -> Path:
    """A file of a hub's repository in the cache, downloaded where it is not there.

    Raises:
        OSError: the hub has no such repository or file, or cannot be reached.
    """
    from huggingface_hub import snapshot_download

    # Without network `hf_hub_download` would try again for 24 s.
    path = Path(snapshot_download(repository, allow_patterns=[file])) / file
    if not path.is_file():
        raise FileNotFoundError(f"{repository} has no {file}")
    return path


def _list_patterns(parts: Iterable[str], variant: str | None = None) -> list[str]:
    return [pattern for part in parts for pattern in list_patterns(part, variant=variant)]


@contextmanager
def explain_missing(key: str, name: str | Path, *, part: str = "", hub: str = "") -> Iterator[None]:
    """Turn the errors that libraries raise while they open a model into one error with the remedy.

    Args:
        key: of the section `models`.
        name: the value of that key.
        part: subfolder to open.
        hub: name of the model on the hub, where it is not `name`.

    Raises:
        FileNotFoundError: the key, its value, the files needed, how to get them.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise FileNotFoundError(
            describe_missing(key, name, part=part, hub=hub, error=error)
        ) from error


def describe_missing(key: str, name: str | Path, *, part: str, hub: str, error: Exception) -> str:
    """The message of `explain_missing`."""
    local = Path(name).is_dir()
    there = "" if local or str(name).count("/") == 1 else ": no such folder"
    lines = [f"models.{key} = {name}: no {part or WHAT[key]} can be opened there{there}"]
    if local and (found := _find_pickle(Path(name) / part)):
        lines.append(f"{found} is a pickle, which is never loaded: download the safetensors file")
    source = hub or (None if local or there else str(name))
    lines.append(
        f"On a machine with network: `{format_download(key, source)}` (if it is gated, "
        f"accept its terms on the hub and `hf auth login` before), then set models.{key} to that "
        "folder"
    )
    reason = " ".join(str(error).split())
    lines.append(f"The library said: {type(error).__name__}: {reason[:300]}")
    return ".\n  ".join(lines)


def require_files(folder: Path, *parts: str) -> None:
    """Raise FileNotFoundError where a folder lacks the first file or the weights of a part."""
    for part in map(PARTS.get, parts):
        missing = [] if (folder / part.files[0]).is_file() else [part.files[0]]
        if part.weights and not part.find_weights(folder).list_files():
            missing.append(f"{part.weights}.safetensors")
        if missing:
            raise FileNotFoundError(f"the folder has no {' and no '.join(missing)}")


def refuse_faults(key: str, name: str | Path, faults: Iterable[str]) -> None:
    """Refuse a model whose config has faults (`models.fitting`).

    Raises:
        ValueError: the key, its value and the faults, one line each.
    """
    if lines := list(faults):
        raise ValueError("\n  ".join(f"models.{key} = {name}: {line}" for line in lines))


def check_loaded(key: str, name: str | Path, report: Mapping[str, object]) -> None:
    """Refuse weights that lack tensors, which the libraries would fill with random numbers.

    Args:
        report: the loading report of `from_pretrained(…, output_loading_info=True)`.

    Raises:
        FileNotFoundError: names the first tensor.
    """
    for problem in ("missing_keys", "mismatched_keys"):
        if found := sorted(map(str, report.get(problem) or ())):
            raise FileNotFoundError(
                f"models.{key} = {name}: the weights are not those of its config: {len(found)} "
                f"tensors with {problem.replace('_', ' ')}, {found[0]} the first. "
                "Download the whole model again"
            )


def settle_model(key: str, name: str | Path, model: nn.Module, device: str | torch.device):
    """Settle an opened model on its device, frozen and for inference.

    Raises:
        MemoryError: its weights do not fit the GPU's memory.
        ValueError: a weight is not finite.
    """
    try:
        model = move_model(model, device).eval().requires_grad_(False)
    except torch.OutOfMemoryError as error:
        size = sum(weight.nbytes for weight in model.parameters()) / 1e9
        raise MemoryError(
            f"models.{key} = {name}: its weights ({size:.1f} GB) do not fit the GPU's memory: "
            f"{REMEDIES[key]}, or use a GPU with more memory that no other process uses. {error}"
        ) from error
    remedy = "its file is damaged, or its training diverged: download or train it again"
    require_finite_weights(model, f"models.{key} = {name}", remedy)
    return model


def _find_pickle(folder: Path) -> str:
    """The first pickle of a folder that has no safetensors file."""
    if any(folder.glob("*.safetensors")):
        return ""
    found: Sequence[Path] = sorted(f for pattern in PICKLES for f in folder.glob(pattern))
    return found[0].name if found else ""
