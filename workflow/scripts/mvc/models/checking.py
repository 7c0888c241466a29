"""Check the foundation models of a configuration before anything runs.

Standard library only, since the workflow does so while it is parsed. A model from the hub is
checked by the configs of it that the cache on this machine holds; else when it is opened.
"""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from mvc.config.files import find_package
from mvc.config.sections import merge_section
from mvc.models import fitting, tower, twins
from mvc.models.layouts import (
    describe_file,
    find_class,
    list_weights_faults,
    locate_folder,
)
from mvc.models.parts import (
    CLIP,
    ENCODER,
    PARTS,
    PROCESSORS,
    SCHEDULER,
    TOKENIZERS,
    TOKENS,
    UNET,
    VAE,
    format_download,
    read_json,
)
from mvc.models.published import Published, find_published, list_tag_faults


def refuse_models(config: Mapping) -> None:
    """Refuse models that are all on this disk, the hub's in its cache, and do not fit.

    Raises:
        ValueError: what does not fit, one per line.
    """
    if faults := list_model_faults(config, whole=True):
        raise ValueError("\n  ".join(faults))


def list_model_faults(config: Mapping, *, whole: bool = False) -> list[str]:
    """List why models cannot be opened or do not fit each other or the resolution, one per line.

    Args:
        whole: whether the hub's cache must hold them, as a folder must.
    """
    faults = []
    for key, name in config["models"].items():
        try:
            if Path(name).is_file():
                found = [describe_file(Path(name))]
            elif folder := find_folder(name):
                found = CHECKS[key](folder, whole=whole or folder == Path(name))
            else:
                found = list_name_faults(key, name)
            faults += [f"models.{key} = {name}: {fault}" for fault in found]
        except ValueError as error:
            faults.append(f"models.{key} = {name}: {error}")
    return faults or list(_list_fit_faults(config))


def find_folder(name: str) -> Path | None:
    """The folder of a model on this machine: its own, or of a hub's name the cache's newest."""
    if Path(name).is_dir():
        return Path(name)
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    repository = cache / f"models--{name.replace('/', '--')}"
    main = repository / "refs/main"
    commit = main.read_text(encoding="utf-8").strip() if main.is_file() else "none"
    snapshot = repository / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def list_diffusion_faults(folder: Path, *, whole: bool) -> Iterator[str]:
    """List faults of a folder of Stable Diffusion.

    Args:
        whole: whether all files must be there; the hub's cache may be filled later.
    """
    unet, vae, scheduler = (read_json(folder / place) for place in (UNET, VAE, SCHEDULER))
    if not unet and whole:
        kind = find_class(folder).get("_class_name")
        said = f"no {UNET}" + (f" (a {kind})" if kind else "")
        yield f"{said}; {locate_folder(folder, UNET)}. {_format_download('diffusion')}"
        return
    for part, place in ((unet, UNET), (vae, VAE), (scheduler, SCHEDULER)):
        if not part and whole:
            yield f"no {place}; {_format_download('diffusion')}"
    yield from fitting.list_unet_faults(unet)
    yield from fitting.list_vae_faults(vae)
    yield from fitting.list_scheduler_faults(scheduler)
    if unet and vae:
        yield from fitting.list_pair_faults(unet, vae)
    try:
        tower.find_reading(unet, {}, read_json(folder / TOKENS))
    except ValueError as error:
        yield str(error)
    for part in ("unet", "vae") if whole else ():
        weights = PARTS[part].find_weights(folder)
        yield from list_weights_faults(weights, _format_download("diffusion"))


def list_clip_faults(folder: Path, *, whole: bool) -> Iterator[str]:
    """List faults of a folder of an open_clip model. Args: see `list_diffusion_faults`."""
    config = read_json(folder / CLIP)
    if not config:
        kind = find_class(folder)
        kind = kind.get("model_type") or kind.get("_class_name")
        there = (
            f"a {kind} for transformers, which open_clip does not read"
            if kind
            else locate_folder(folder, CLIP)
        )
        yield f"no {CLIP}; {there}. {_format_download('clip')}"
        return
    clip = config.get("model_cfg", {})
    yield from tower.list_clip_faults(clip, CLIP)
    if whole:
        weights = PARTS["clip"].find_weights(folder)
        yield from list_weights_faults(weights, _format_download("clip"))


def list_captioner_faults(folder: Path, *, whole: bool) -> Iterator[str]:
    """List faults of a folder of BLIP-2. Args: see `list_diffusion_faults`."""
    config = read_json(folder / "config.json")
    if not config:
        there = locate_folder(folder, "config.json")
        yield f"no config.json; {there}. {_format_download('captioner')}"
        return
    found = list(fitting.list_captioner_faults(config))
    yield from found
    if found or not whole:
        return
    weights = PARTS["captioner"].find_weights(folder)
    yield from list_weights_faults(weights, _format_download("captioner"))
    if not any((folder / file).is_file() for file in PROCESSORS):
        yield f"no {' or '.join(PROCESSORS)}; {_format_download('captioner')}"
    if not any(all((folder / file).is_file() for file in files) for files in TOKENIZERS):
        wanted = " or ".join(" + ".join(files) for files in TOKENIZERS)
        yield f"no tokenizer ({wanted}); {_format_download('captioner')}"


CHECKS = {
    "captioner": list_captioner_faults,
    "clip": list_clip_faults,
    "diffusion": list_diffusion_faults,
}


def list_name_faults(key: str, name: str) -> Iterator[str]:
    """List why a name that is no folder cannot be a model of a hub or of open_clip."""
    owner, _, rest = name.partition("/")
    known = list_architectures() if key == "clip" else {}
    if known and owner not in known:
        close = get_close_matches(owner, known, n=3) or get_close_matches(rest, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see open_clip.list_pretrained()"
        yield (
            f"neither a folder nor architecture/pretrained of open_clip, such as "
            f"ViT-L-14-quickgelu/openai; {hint} {_format_download('clip')}"
        )
    elif known and not Path(rest).is_file():
        yield from list_tag_faults(owner, rest)
    elif key != "clip" and Path(owner).is_dir() and owner not in (".", ".."):
        there = sorted(path.name for path in Path(owner).iterdir() if path.is_dir())
        yield (
            f"a folder of this machine or a name on the hub? {owner}/ is a folder here, without "
            f"{rest}; there is {', '.join(there[:10]) or 'no folder'}. Name one of these, or if "
            f"the hub's is meant: `hf download {name} --local-dir <folder>`, and name that folder"
        )


def list_architectures() -> dict[str, Path]:
    """The architectures of open_clip and their configs; none where it is not installed."""
    package = find_package("open_clip") or Path("nowhere")
    return {path.stem: path for path in sorted(package.glob("model_configs/*.json"))}


def read_clip(name: str) -> tuple[Mapping, str]:
    """A CLIP model's `model_cfg` and the place where it stands; empty where it cannot be known."""
    folder = Path(name)
    if folder.is_dir():
        return read_json(folder / CLIP).get("model_cfg", {}), f"models.clip = {name}: {CLIP}"
    architecture = name.partition("/")[0]
    config = list_architectures().get(architecture)
    return read_json(config) if config else {}, f"models.clip = {name}: {architecture}"


def measure_likeness(models: Mapping) -> float:
    """Measure how alike the weights of CLIP and of the U-Net's own text encoder are.

    Returns:
        See `twins.compare_towers`; 1 where there is nothing to compare.
    """
    folder = find_folder(models["diffusion"]) or Path("nowhere")
    layers = tower.find_encoder(read_json(folder / UNET), read_json(folder / ENCODER))
    block = layers.get("num_hidden_layers", 1) - 1
    found = twins.compare_towers(
        (folder / ENCODER).with_name("model.safetensors"),
        find_clip_weights(models["clip"]),
        block=block,
    )
    return 1.0 if found is None else found


def find_clip_weights(name: str) -> Path:
    """CLIP's file of weights in a folder, as `architecture/file`, or in the hub's cache."""
    if Path(name).is_dir():
        return PARTS["clip"].find_weights(Path(name)).file
    repository, _, file = (find_published(name) or Published("", False)).hub.rpartition("/")
    if not repository:
        return Path(name.partition("/")[2])
    weights = Path(file or "open_clip_model").with_suffix(".safetensors")
    return (find_folder(repository) or Path("nowhere")) / weights


def describe_other_tower(models: Mapping, likeness: float) -> str:
    """The fault of a CLIP whose text tower is not the U-Net's own."""
    return (
        f"models.clip = {models['clip']}: its text tower has other weights than text_encoder/ of "
        f"models.diffusion = {models['diffusion']} (correlation {likeness:.2f}); must be the CLIP "
        f"that the U-Net was trained with ({'; '.join(tower.TOWERS.values())})"
    )


def _list_fit_faults(config: Mapping) -> Iterator[str]:
    """List how the models do not fit each other, and the resolution of each data set not them."""
    unet, vae, encoder = read_diffusion(config)
    clip, place = read_clip(config["models"]["clip"])
    if clip:
        yield from tower.list_clip_faults(clip, place)
    if clip and unet:
        diffusion = f"models.diffusion = {config['models']['diffusion']}: "
        for fault in tower.list_text_faults(clip, place, unet, encoder):
            yield fault if fault.startswith(place) else diffusion + fault
    likeness = measure_likeness(config["models"])
    if likeness <= twins.ALIKE:
        yield describe_other_tower(config["models"], likeness)
    for dataset in config["datasets"] if unet and vae else ():
        resolution = merge_section(config, "unet", dataset)["resolution"]
        for fault in fitting.list_size_faults(unet, vae, resolution):
            yield f"datasets.{dataset}: {fault}"


def read_diffusion(config: Mapping) -> tuple[Mapping, Mapping, Mapping]:
    """The configs of U-Net, VAE and text encoder; empty where they are not on this machine."""
    folder = find_folder(config["models"]["diffusion"]) or Path("nowhere")
    unet, vae, encoder = (read_json(folder / place) for place in (UNET, VAE, ENCODER))
    return unet, vae, encoder


def _format_download(key: str) -> str:
    """The advice to download a model that fits."""
    return f"a whole one: `{format_download(key)}`, and set models.{key} to it"
