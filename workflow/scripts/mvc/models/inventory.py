"""Every file of the foundation models and of classifiers' published weights: fetched and listed."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from mvc.config.sections import merge_section
from mvc.models.opening import describe_missing, fetch_file, fetch_folder, require_files
from mvc.models.parts import PARTS, list_part_files, list_patterns

PUBLISHED = "model.safetensors"  # timm's file of weights


class Source(NamedTuple):
    """Where files come from: a folder or file of this disk, or a repository of the hub."""

    key: str  # of the configuration
    value: str
    place: str  # folder, file, or owner/name on the hub
    parts: tuple[str, ...] = ()  # of `PARTS`, in a folder or repository
    file: str = ""  # or one file of a repository

    @property
    def is_local(self) -> bool:
        return Path(self.place).exists()


def choose_models(config: Mapping) -> dict[str, str]:
    """Choose the models that a configuration opens: no captioner where no data set is captioned."""
    sections = [merge_section(config, "captions", dataset) for dataset in config["datasets"]]
    captioned = any(
        own["describe"] and (own["file"] is None or own["missing"] == "blip2") for own in sections
    )
    return {key: name for key, name in config["models"].items() if captioned or key != "captioner"}


def list_sources(models: Mapping[str, str], networks: Iterable[str]) -> list[Source]:
    """List where the files of a configuration come from.

    Args:
        models: the section `models`.
        networks: of timm, whose published weights classifiers start from.

    Raises:
        ValueError: a name that open_clip or timm does not know, or without published weights.
    """
    sources = []
    for key, value in models.items():
        parts = tuple(part for part, opened in PARTS.items() if opened.key == key)
        place, file = value, ""
        if key == "clip" and not Path(value).is_dir():
            place, file = _find_clip(value)
            parts = ()
        sources.append(Source(f"models.{key}", value, place, parts, file))
    for network in networks:
        sources.append(
            Source("classifiers.weights", network, _find_network(network), file=PUBLISHED)
        )
    return sources


def _find_clip(name: str) -> tuple[str, str]:
    """The file of `architecture/file`, or the repository and file of `architecture/pretrained`."""
    from mvc.models.clip import check_activation, find_repository  # seconds of imports

    architecture, _, pretrained = name.partition("/")
    if Path(pretrained).is_file():
        return pretrained, ""
    repository, file = find_repository(name)
    check_activation(architecture, pretrained)
    return repository, file


def _find_network(name: str) -> str:
    """The repository of a network's published weights."""
    import timm

    repository = timm.get_pretrained_cfg(name).hf_hub_id
    if not repository:
        raise ValueError(f"classifiers.weights = pretrained: none are published for {name}")
    return repository


def measure_downloads(sources: Iterable[Source]) -> dict[Source, int]:
    """Ask the hub for the bytes that each source lacks in the cache; downloads nothing.

    Raises:
        OSError: the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download

    missing = {}
    for source in sources:
        if not source.is_local:
            files = snapshot_download(
                source.place, allow_patterns=_list_patterns(source), dry_run=True
            )
            missing[source] = sum(file.file_size or 0 for file in files if file.will_download)
    return missing


def check_downloads(sources: Iterable[Source], cache: Path) -> None:
    """Print how much there is to download, and refuse it where the disk has no room.

    Without the hub nothing is known: `fetch` then says what is missing, and how to get it.
    """
    try:
        missing = sum(measure_downloads(sources).values())
    except OSError as error:
        print(f"to download: not known, the hub cannot be reached ({error})")
        return
    print(f"to download: {format_size(missing)}")
    check_disk(missing, cache)


def check_disk(needed: int, cache: Path) -> None:
    """Refuse downloads that the disk of the hub's cache has no room for.

    Raises:
        OSError: the bytes needed and free, and the fix.
    """
    place = next(path for path in (cache.absolute(), *cache.absolute().parents) if path.is_dir())
    if needed > (free := shutil.disk_usage(place).free):
        raise OSError(
            f"{format_size(needed)} to download, {format_size(free)} free on the disk of {cache}; "
            "free some, or set HF_HOME to a folder on a larger disk"
        )


def fetch(source: Source) -> list[Path]:
    """Fetch what a source lacks, and list its files.

    Raises:
        FileNotFoundError: it cannot be fetched, or a file is missing; with the remedy.
    """
    try:
        if source.file:
            return [fetch_file(source.place, source.file)]
        if Path(source.place).is_file():
            return [Path(source.place)]
        folder = fetch_folder(source.place, *source.parts)
        require_files(folder, *source.parts)
        files = [file for part in source.parts for file in list_part_files(folder, part)]
        if lost := [file for file in files if not file.is_file()]:
            raise FileNotFoundError(f"{lost[0]} is not there")
        return list(dict.fromkeys(files))
    except (OSError, ValueError) as error:
        if not source.key.startswith("models."):
            raise FileNotFoundError(
                f"{source.key} = pretrained ({source.value}): {source.place} cannot be fetched "
                f"({error}); download its {source.file} and name it in {source.key}"
            ) from error
        key = source.key.removeprefix("models.")
        said = describe_missing(key, source.value, part="", hub=source.place, error=error)
        raise FileNotFoundError(said) from error


def fetch_all(sources: Iterable[Source]) -> dict[Source, list[Path]]:
    """Fetch all sources, and list their files.

    Raises:
        FileNotFoundError: what is missing of any of them, see `fetch`.
    """
    files, faults = {}, []
    for source in sources:
        try:
            files[source] = fetch(source)
        except FileNotFoundError as error:
            faults.append(str(error))
    if faults:
        raise FileNotFoundError("\n".join(faults))
    return files


def format_page(files: Mapping[Source, Iterable[Path]]) -> str:
    """Format all files and their sizes as a page of text."""
    lines, total = [], 0
    for source, paths in files.items():
        sizes = [(path, path.stat().st_size) for path in paths]
        total += sum(size for _, size in sizes)
        lines.append(f"{source.key} = {source.value}{_name_place(source, sizes[0][0])}")
        for path, size in sizes:
            lines.append(f"  {format_size(size):>9}  {_shorten(path, source)}")
    return "\n".join([*lines, f"  {format_size(total):>9}  in all, and nothing is missing"])


def format_size(size: int) -> str:
    """A number of bytes as text, in the largest unit of which there is one."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= factor:
            return f"{size / factor:.{1 if size < 10 * factor else 0}f} {unit}"
    return f"{size} B"


def _name_place(source: Source, path: Path) -> str:
    if source.is_local:
        return ""
    snapshot = next((p for p in path.parents if p.parent.name == "snapshots"), path.parent)
    return f" ({source.place} on the hub, here {snapshot})"


def _shorten(path: Path, source: Source) -> str:
    """A file as seen from its model's folder."""
    if source.is_local:
        return str(path.relative_to(source.place)) if path != Path(source.place) else path.name
    after = [p for p in path.parents if p.parent.name == "snapshots"]
    return str(path.relative_to(after[0])) if after else path.name


def _list_patterns(source: Source) -> list[str]:
    if source.file:
        return [source.file]
    return [pattern for part in source.parts for pattern in list_patterns(part)]
