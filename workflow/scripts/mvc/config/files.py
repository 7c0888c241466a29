"""Files that the configuration names: which of them a stage reads, and which are missing."""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from mvc.config.catalogue import LOADERS
from mvc.config.plan import STUDIES
from mvc.config.sections import merge_section

SHARED = ("tables", "figures", *STUDIES)  # folders of files that are of all data sets together
REPORT = "report"  # the folder of the pages about all data sets
# Of a folder of a classifier's weights.
WEIGHTS = ("config.json", "model.safetensors")


def find_shipped(config: Mapping, root: Path) -> dict:
    """Find the models that the workflow ships, where it runs in another folder than its own.

    Args:
        root: the workflow's folder.

    Returns:
        the configuration, in which a model's folder that only the workflow has stands with its
        whole path.
    """
    models = {
        name: str(root / value) if not Path(value).exists() and (root / value).is_dir() else value
        for name, value in config["models"].items()
    }
    return {**config, "models": models}


def list_weights_files(weights: str | None) -> list[str]:
    """The file of a classifier's weights, or those of their folder; none for a name of timm's."""
    path = Path(weights or "nothing named")
    if path.is_dir():
        return [str(path / name) for name in WEIGHTS if (path / name).is_file()]
    return [weights] if path.is_file() else []


def find_package(name: str) -> Path | None:
    """The folder of a library, without an import of it; None where this Python has none."""
    folders = (Path(place) / name for place in sys.path)
    return next((folder for folder in folders if (folder / "__init__.py").is_file()), None)


def list_overwritten(
    paths: Iterable[str],
    datasets: Collection[str],
    find_sources: Callable[[str], Iterable[str] | None],
) -> Iterator[str]:
    """List tables, figures and comparisons of other data sets that would be overwritten, by line.

    Args:
        paths: files to be made.
        datasets: names of the configuration's data sets.
        find_sources: returns what a file was made from, by Snakemake's records.
    """
    for path in paths:  # Snakemake's own objects, by which it keeps its records
        place = Path(path)
        shared = place.parent.name in SHARED or place.name == REPORT
        if not shared or not place.exists():
            continue
        sources = [file for file in find_sources(path) or [] if file.startswith("results/")]
        if unknown := {Path(file).parts[1] for file in sources}.difference(datasets):
            yield (
                f"{path} was made from other data sets ({', '.join(sorted(unknown))}) and would be "
                "overwritten. Give this configuration a name, and its tables and figures get a "
                f"folder of their own: --config name={next(iter(datasets))}, or a line name: … in "
                "its file. If the file is of no more use, delete it."
            )


def list_missing_files(config: Mapping) -> list[str]:
    """List missing folders and files that the configuration names, one line each.

    Found before anything runs, since a stage that fails takes its finished results with it.
    """
    lines = []
    for name, value in config["models"].items():
        hub = value.count("/") == 1 and not value.startswith((".", "/", "~"))
        file = name == "clip" and Path(value.partition("/")[2]).is_file()  # architecture/file
        if not hub and not file and not Path(value).is_dir():
            lines.append(f"models.{name} = {value!r}: no such folder, and not owner/name on a hub")
    for name, values in config["datasets"].items():
        loader, path = LOADERS[values["loader"]], values["path"]
        # A dry run needs no data: null passes where the size is known without it.
        missing = not Path(path).exists() if path else not (loader.null or loader.size)
        if path and not loader.path:
            lines.append(f"datasets.{name}.path = {path!r}; must be null")
        elif missing:
            lines.append(
                f"datasets.{name}.path = {path!r}: no such file or folder; name {loader.path}"
                f"{', or null' if loader.null else ''}"
            )
        training = {**config["classifiers"], **values.get("classifiers", {})}
        for part in (training, *training["models"].values(), *training["arms"].values()):
            weights = part.get("weights")
            if weights not in (None, "pretrained") and (fault := _explain_weights(Path(weights))):
                lines.append(
                    f"classifiers.weights = {weights!r} ({name}): {fault}; must be null, "
                    "pretrained, a file of safetensors, or a folder with model.safetensors"
                )
        for section in ("captions", "policies"):
            file = merge_section(config, section, name)["file"]
            if file and not Path(file).is_file():
                lines.append(f"{section}.file = {file!r} ({name}): no such file")
    return lines


def _explain_weights(path: Path) -> str:
    """Why a path holds no weights of a classifier; "" where it does."""
    if not path.exists():
        return "no such file or folder"
    file = path / "model.safetensors" if path.is_dir() else path
    if file.is_file() and file.suffix == ".safetensors":
        return ""
    there = sorted(each.name for each in path.iterdir()) if path.is_dir() else []
    return f"no safetensors; there is {', '.join(there[:10]) or f'a file {file.suffix}'}"
