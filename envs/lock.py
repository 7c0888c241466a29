"""Write all versions that requirements.txt and checks.txt lead to in this environment: `make lock`.

requirements.lock is what `make` installs. mvc.yaml repeats it for `snakemake --sdm conda`, which
copies that file away from the lock before it reads it.
"""

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENVS = Path(__file__).parent
# What a build of torch for CUDA brings along; torch itself asks for it on Linux alone.
LINUX = ' ; platform_system == "Linux"'


def read_requirements() -> list[Requirement]:
    """The direct dependencies, as requirements.txt and checks.txt list them."""
    files = (ENVS / name for name in ("requirements.txt", "checks.txt"))
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def find_versions(system: str) -> dict[str, str]:
    """Names and versions of all that the direct dependencies need on an operating system.

    Args:
        system: `platform_system` of environment markers, such as `Linux`.

    Raises:
        importlib.metadata.PackageNotFoundError: a package is needed and not installed.
    """
    versions, seen, queue = {}, set(), read_requirements()
    while queue:
        requirement = queue.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        installed = distribution(requirement.name)
        versions[installed.metadata["Name"]] = installed.version
        queue += _needed_by(installed, {"", *requirement.extras}, system)
    return dict(sorted(versions.items(), key=lambda item: item[0].lower()))


def _needed_by(installed, extras: set[str], system: str) -> Iterator[Requirement]:
    for line in installed.requires or ():
        requirement = Requirement(line)
        environments = [{"extra": extra, "platform_system": system} for extra in extras]
        if not requirement.marker or any(map(requirement.marker.evaluate, environments)):
            yield requirement


def lock_lines() -> list[str]:
    """The lines of the lock: `name==version`, with a marker for what Linux alone needs."""
    anywhere = find_versions("Darwin")
    return [
        f"{name}=={version}" + ("" if name in anywhere else LINUX)
        for name, version in find_versions("Linux").items()
    ]


def main() -> None:
    lines = lock_lines()
    head = "# All versions, written by `make lock` from requirements.txt and checks.txt.\n"
    (ENVS / "requirements.lock").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    conda = (ENVS / "mvc.yaml").read_text(encoding="utf-8").partition("- pip:\n")
    pins = "".join(f"      - '{line}'\n" for line in lines)
    (ENVS / "mvc.yaml").write_text(conda[0] + conda[1] + pins, encoding="utf-8")


if __name__ == "__main__":
    main()
