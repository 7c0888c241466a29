"""What can be done with these foundation models, but is hardly meant."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mvc.config.sections import merge_section
from mvc.models import fitting, twins
from mvc.models.checking import find_folder, measure_likeness, read_diffusion
from mvc.models.parts import PARTS

LARGE = 10**9  # bytes of weights
SHIPPED = "resources/miniature/"


def list_warnings(config: Mapping, *, on_cpu: bool = False) -> list[str]:
    """List what can be run but is hardly meant, one per line.

    Args:
        on_cpu: whether the run fine-tunes or samples without a GPU.
    """
    unet, vae, _ = read_diffusion(config)
    size, lines = fitting.find_trained_size(unet, vae), list(_list_rounded(config["models"]))
    lines += _list_slow(config["models"]["diffusion"]) if on_cpu else []
    lines += _list_unknown(config)
    if twins.ALIKE < measure_likeness(config["models"]) < 1:
        lines.append(
            f"models.clip = {config['models']['clip']}: the text encoder of models.diffusion was "
            "trained further than this CLIP; its U-Net is given the states of the latter"
        )
    for dataset in config["datasets"] if unet and size else ():
        resolution = merge_section(config, "unet", dataset)["resolution"]
        if 2 * resolution < size:
            lines.append(
                f"unet.resolution = {resolution} ({dataset}): the U-Net was trained at {size} px, "
                "and may draw nothing sensible at under half of it"
            )
    return lines


def _list_rounded(models: Mapping) -> Iterator[str]:
    """Warn of weights that are there in half precision alone."""
    for part, opened in PARTS.items():
        folder = find_folder(models[opened.key])
        if folder and opened.weights and opened.find_weights(folder).variant:
            yield (
                f"models.{opened.key} = {models[opened.key]}: the weights of {part} are there in "
                "half precision alone, and so rounded"
            )


def _list_slow(name: str) -> Iterator[str]:
    """Warn of a U-Net for a CPU that is large, or on the hub and so as large as they are there."""
    folder = find_folder(name)
    files = PARTS["unet"].find_weights(folder).list_files() if folder else []
    if not files or sum(file.stat().st_size for file in files) > LARGE:
        yield (
            f"models.diffusion = {name}: no NVIDIA GPU is visible here, and on a CPU this U-Net "
            "takes days where a GPU takes hours; the target estimate counts them"
        )


def _list_unknown(config: Mapping) -> Iterator[str]:
    """Warn of data sets that the shipped models, trained on Fashion-MNIST, do not know."""
    loaders = {name: section["loader"] for name, section in config["datasets"].items()}
    unknown = [name for name, loader in loaders.items() if loader != "fashion_mnist"]
    shipped = config["models"]["diffusion"]
    if unknown and SHIPPED in Path(shipped).as_posix():
        yield (
            f"models.diffusion = {shipped} ({', '.join(unknown)}): the shipped models know clothes "
            "on 32 x 32 pixels; they show that other data runs through, not what the method is "
            "worth there; config/photos.yaml has real models"
        )
