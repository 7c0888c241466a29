"""Networks by name: our own Wide-ResNets, and under any other name timm's.

A network that starts from weights takes its inputs normalised as those weights were trained, one
that starts at random as its training images are. Only safetensors are opened.
Axes: n images, 3 channels, h and w pixels, k classes.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from mvc.training import wide_resnet

FILE = "model.safetensors"
PRETRAINED = "pretrained"


@dataclass(frozen=True)
class Network:
    """A network, and the mean and deviation (0..255) that its weights expect of each channel."""

    net: nn.Module
    mean: Float32[Tensor, " 3"] | None = None  # None: those of the training images
    std: Float32[Tensor, " 3"] | None = None


def build(
    name: str,
    n_classes: int,
    *,
    size: tuple[int, int],
    generator: torch.Generator,
    weights: str | None = None,
) -> Network:
    """The network called `name` for images of `size` = (h, w) pixels.

    Args:
        name: `wrn-depth-width`, or a network of timm, e.g. `resnet50` or `vit_base_patch16_224`; a
            tag may choose among its weights, `resnet50.a1_in1k`.
        weights: None for random ones, drawn from `generator`; `pretrained` for timm's own, from
            the hub; or a file of safetensors, or a folder that holds one, in timm's layout. A head
            for another number of classes is left out and starts at random.

    Raises:
        ValueError: no network has this name, it takes no images of this size, or the weights are
            another network's.
        FileNotFoundError: the weights are not there.
    """
    if name.startswith("wrn-"):
        if weights is not None:
            raise ValueError(f"{_key(name)} = {weights}; must be null: none are published")
        return Network(wide_resnet.build(name, n_classes, generator=generator))
    net = _create(name, n_classes, size, generator)
    _check_size(net, name, size)
    if weights is None:
        return Network(net)
    told = _load(net, name, weights)
    mean, std = (255 * torch.tensor(told[key], dtype=torch.float32) for key in ("mean", "std"))
    return Network(net, mean, std)


def _create(
    name: str, n_classes: int, size: tuple[int, int], generator: torch.Generator
) -> nn.Module:
    import timm  # seconds, which Wide-ResNets need not wait

    if not timm.is_model(name):
        close = get_close_matches(name, [*timm.list_models(), "wrn-28-10", "wrn-28-2"], n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(
            f"classifiers.models: {name!r}; must be wrn-<depth>-<width> or a network of timm{hint}"
        )
    with torch.random.fork_rng(devices=[]):  # timm draws from the global generator
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        return timm.create_model(name, num_classes=n_classes, **sized(name, size))


def sized(name: str, size: tuple[int, int]) -> dict:
    """What timm is to be told of images of (h, w) pixels: their size, where a network fixes it.

    Raises:
        ValueError: timm has no weights of the tag in `name`.
    """
    import timm

    try:
        cfg = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError as error:  # an unknown tag, or a network without weights
        if "." in name:
            raise ValueError(f"classifiers.models: {name!r}: {error}") from None
        return {}
    return {"img_size": size} if cfg.fixed_input_size else {}


@torch.inference_mode()
def _check_size(net: nn.Module, name: str, size: tuple[int, int]) -> None:
    """Let one image through, so that a size that does not fit is told of at once."""
    try:
        net.eval()(torch.zeros(1, 3, *size))
    except (AssertionError, RuntimeError) as error:
        height, width = size
        raise ValueError(
            f"{name} takes no images of {width} x {height} pixels ({error}); "
            "set classifiers.resolution"
        ) from error


def _load(net: nn.Module, name: str, weights: str) -> Mapping:
    """Load weights into `net`; what is known of their training images."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    told = net.pretrained_cfg
    file = _hub_file(told, name) if weights == PRETRAINED else _local_file(told, name, weights)
    about = file.with_name("config.json")
    if weights != PRETRAINED and Path(weights).is_dir() and about.is_file():
        config = json.loads(about.read_text(encoding="utf-8"))
        architecture = config.get("architecture", name)
        if architecture != name.split(".")[0]:
            raise ValueError(f"{_key(name)} = {weights}: the weights of {architecture}")
        told = {**told, **config.get("pretrained_cfg", {})}
    try:
        state = load_file(file)
    except SafetensorError as error:
        raise ValueError(f"{_key(name)} = {weights}: {file.name} is damaged ({error})") from error
    convert = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    _fill(net, convert(state, net) if convert else state, f"{_key(name)} = {weights}")
    return told


def _fill(net: nn.Module, state: Mapping[str, Tensor], told: str) -> None:
    """Load a state; of what does not fit, only a head of another number of classes is left out."""
    own, heads = net.state_dict(), net.pretrained_cfg["classifier"]
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    other = {k for k, v in state.items() if k in own and v.shape != own[k].shape}
    left_out = {k for k in other if k.rpartition(".")[0] in heads}
    missing = {k for k in own.keys() - state.keys() if not k.endswith("num_batches_tracked")}
    faults = {"another shape": other - left_out, "missing": missing}
    faults["unexpected"] = set(state.keys() - own.keys())
    if any(faults.values()):
        lines = [f"{len(k)} {what} ({min(k)}, ...)" for what, k in faults.items() if k]
        raise ValueError(f"{told}: the weights of another network: tensors {', '.join(lines)}")
    net.load_state_dict({k: v for k, v in state.items() if k not in left_out}, strict=False)
    for key in sorted(left_out):
        print(f"{told}: {key} {tuple(state[key].shape)} left out, {tuple(own[key].shape)} wanted")


def _local_file(cfg: Mapping, name: str, weights: str) -> Path:
    path = Path(weights)
    file = path / FILE if path.is_dir() else path
    if file.suffix != ".safetensors" or not file.is_file():
        published = f", as {cfg['hf_hub_id']} on the hub holds it" if cfg.get("hf_hub_id") else ""
        raise FileNotFoundError(
            f"{_key(name)} = {weights}: no safetensors there; must be null, {PRETRAINED}, a file "
            f"of safetensors, or a folder with {FILE}{published}"
        )
    return file


def _hub_file(cfg: Mapping, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    key, repository = _key(name), cfg.get("hf_hub_id")
    if not repository:
        raise ValueError(f"{key} = {PRETRAINED}; none are published: must be null or a file")
    try:
        return Path(hf_hub_download(repository, FILE))
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise FileNotFoundError(
            f"{key} = {PRETRAINED}: {repository} cannot be fetched ({reason}); download its "
            f"{FILE} and config.json into a folder and name that folder in {key}"
        ) from error


def _key(name: str) -> str:
    return f"classifiers.models.{name}.weights"
