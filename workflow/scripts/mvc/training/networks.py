"""Networks by name: our own Wide-ResNets, and timm's under any other name.

Inputs are normalised as the initial weights expect or, for random weights, by the training images'
own statistics. Only safetensors are opened.
Axes: n images, 3 channels, h and w pixels, k classes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from mvc.training import wide_resnet

FILE = "model.safetensors"
PRETRAINED = "pretrained"
LONGEST = 300  # characters of timm's reason in an error


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
    """Build the network called `name` for images of `size` = (h, w) pixels.

    Args:
        name: `wrn-depth-width`, or a network of timm, e.g. `resnet50` or `vit_base_patch16_224`; a
            tag may choose among its weights, `resnet50.a1_in1k`.
        weights: None for random ones, drawn from `generator`; `pretrained` for timm's own, from
            the hub; or a file of safetensors, or a folder that holds one, in timm's layout. A head
            for another number of classes is not loaded and starts at random.

    Raises:
        ValueError: no network has this name, it takes no images of this size, or the weights are
            another network's.
        FileNotFoundError: the weights are not there.
    """
    if name.startswith("wrn-"):
        if weights is not None:
            raise ValueError(f"{_format_key(name)} = {weights}; must be null: none are published")
        return Network(wide_resnet.build(name, n_classes, generator=generator))
    import timm  # takes seconds, and Wide-ResNets do not need it

    _check_name(name)
    options = describe_size(name, size)
    with torch.random.fork_rng(devices=[]):  # timm draws from the global generator
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        net = timm.create_model(name, num_classes=n_classes, **options)
        _check_size(net, name, size)
        if weights is None:
            return Network(net)
        statistics = _load_weights(net, name, weights, options)
    return Network(net, *(255 * torch.tensor(values, dtype=torch.float32) for values in statistics))


def describe_size(name: str, size: tuple[int, int]) -> dict:
    """Arguments of timm for images of (h, w) pixels; none where a network takes any size.

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


def _check_name(name: str) -> None:
    import timm

    if not timm.is_model(name):
        close = get_close_matches(name, [*timm.list_models(), "wrn-28-10", "wrn-28-2"], n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(
            f"classifiers.models: {name!r}; must be wrn-<depth>-<width> or a network of timm{hint}"
        )


@torch.inference_mode()
def _check_size(net: nn.Module, name: str, size: tuple[int, int]) -> None:
    """Pass one image through the network, so that a wrong size is refused at once."""
    try:
        net.eval()(torch.zeros(1, 3, *size))
    except (AssertionError, RuntimeError) as error:
        height, width = size
        raise ValueError(
            f"{name} takes no images of {width} x {height} pixels ({error}); "
            "set classifiers.resolution"
        ) from error


def _load_weights(
    net: nn.Module, name: str, weights: str, options: Mapping
) -> tuple[Sequence[int | float], Sequence[int | float]]:
    """Load weights into `net`, except a head for another number of classes.

    timm first loads them into a network with the file's classes, where no tensor may be missing.

    Returns:
        Mean and deviation (0..1) of each channel that the weights expect.
    """
    setting = f"{_format_key(name)} = {weights}"
    cfg = net.pretrained_cfg
    if weights == PRETRAINED:
        file = _download(cfg, name)
    else:
        file = _find_file(cfg, name, Path(weights))
        cfg = {**cfg, **_read_config(file, name, weights)}
    state = _read_weights(file, name, setting, cfg, options)
    expected = net.state_dict()
    fitting = {k: v for k, v in state.items() if v.shape == expected[k].shape}
    net.load_state_dict(fitting, strict=False)
    for key in sorted(expected.keys() - fitting.keys()):
        shape = tuple(state[key].shape) if key in state else "none"
        print(f"{setting}: {key} {shape} is not loaded; needed: {tuple(expected[key].shape)}")
    return cfg["mean"], cfg["std"]


def _read_weights(
    file: Path, name: str, setting: str, cfg: Mapping, options: Mapping
) -> dict[str, Tensor]:
    """The tensors of a file, as timm converts them for the network called `name`."""
    import timm
    from safetensors import SafetensorError

    try:
        classes = _count_classes(file, cfg)
        source = {"file": str(file), "num_classes": classes, "custom_load": False}
        trained = timm.create_model(
            name, pretrained=True, num_classes=classes, pretrained_cfg_overlay=source, **options
        )
    except SafetensorError as error:
        raise ValueError(f"{setting}: {file.name} is damaged ({error})") from error
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:LONGEST]
        raise ValueError(f"{setting}: the weights of another network: {reason}") from error
    return trained.state_dict()


def _count_classes(file: Path, cfg: Mapping) -> int:
    """Classes of the head in a file; those of the published weights where it has no such head."""
    from safetensors import safe_open

    heads = cfg.get("classifier") or ()
    keys = {f"{head}.weight" for head in ((heads,) if isinstance(heads, str) else heads)}
    with safe_open(file, "pt") as tensors:
        for key in keys.intersection(tensors.keys()):
            return tensors.get_slice(key).get_shape()[0]
    return cfg["num_classes"]


def _find_file(cfg: Mapping, name: str, path: Path) -> Path:
    file = path / FILE if path.is_dir() else path
    if file.suffix != ".safetensors" or not file.is_file():
        repository = cfg.get("hf_hub_id")
        published = f", as {repository} on the hub has it" if repository else ""
        raise FileNotFoundError(
            f"{_format_key(name)} = {path}: no safetensors there; must be null, {PRETRAINED}, a "
            f"file of safetensors, or a folder with {FILE}{published}"
        )
    return file


def _read_config(file: Path, name: str, weights: str) -> dict:
    """What a folder's config.json says of the weights beside it."""
    path = file.with_name("config.json")
    if not (Path(weights).is_dir() and path.is_file()):
        return {}
    config = json.loads(path.read_text(encoding="utf-8"))
    architecture = config.get("architecture", name)
    if architecture != name.split(".")[0]:
        raise ValueError(
            f"{_format_key(name)} = {weights}: the weights of {architecture}; must be those of "
            f"{name.split('.')[0]}"
        )
    return config.get("pretrained_cfg", {})


def _download(cfg: Mapping, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    key, repository = _format_key(name), cfg.get("hf_hub_id")
    if not repository:
        raise ValueError(f"{key} = {PRETRAINED}; none are published; must be null or a file")
    try:
        return Path(hf_hub_download(repository, FILE))
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise FileNotFoundError(
            f"{key} = {PRETRAINED}: {repository} cannot be fetched ({reason}); download its "
            f"{FILE} and config.json into a folder and name that folder in {key}"
        ) from error


def _format_key(name: str) -> str:
    return f"classifiers.models.{name}.weights"
