"""Errors of missing or incomplete foundation models, with what to do about them.

Only safetensors are opened: the older `.bin`, `.pt` and `.ckpt` files are pickles, which can run
any code.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

FILES = {
    "captioner": (
        "config.json",
        "model.safetensors, or its parts and model.safetensors.index.json",
        "preprocessor_config.json or processor_config.json",
        "tokenizer.json, tokenizer_config.json",
    ),
    "clip": ("open_clip_config.json", "open_clip_model.safetensors"),
    "diffusion": (
        "unet/config.json, unet/diffusion_pytorch_model.safetensors",
        "vae/config.json, vae/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
    ),
}
WHAT = {"captioner": "BLIP-2 model", "clip": "CLIP model", "diffusion": "U-Net"}
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


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
    lines.append(f"The files needed are {'; '.join(FILES[key])}")
    source = hub or ("<owner>/<name>" if local or there else name)
    lines.append(
        f"On a machine with network: `hf download {source} --local-dir <folder>` (if it is gated, "
        f"accept its terms on the hub and `hf auth login` before), then set models.{key} to that "
        "folder"
    )
    reason = " ".join(str(error).split())
    lines.append(f"The library said: {type(error).__name__}: {reason[:300]}")
    return ".\n  ".join(lines)


def require_files(name: str | Path, files: Sequence[str]) -> None:
    """Raise FileNotFoundError where `name` is a folder without one of these files."""
    for file in files if Path(name).is_dir() else ():
        if not (Path(name) / file).is_file():
            raise FileNotFoundError(f"the folder has no {file}")


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


def _find_pickle(folder: Path) -> str:
    """The first pickle of a folder that has no safetensors file."""
    if any(folder.glob("*.safetensors")):
        return ""
    found: Sequence[Path] = sorted(f for pattern in PICKLES for f in folder.glob(pattern))
    return found[0].name if found else ""
