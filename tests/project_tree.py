"""The project's own files, and the small configuration that tests run it with."""

import shutil
from pathlib import Path

import yaml

REPO = Path(__file__).parents[1]
PARTS = ("Snakefile", "workflow", "config", "profiles", "slurm", "envs", "resources")
CLASSES = ("cat & dog's $HOME", "Straße", "third one")


def wide_config() -> dict:
    """The default configuration with the data sets of reduced.yaml beside its own."""
    config, reduced = (
        yaml.safe_load((REPO / "config" / name).read_text(encoding="utf-8"))
        for name in ("config.yaml", "reduced.yaml")
    )
    few = config["datasets"]
    more = {name: values for name, values in reduced["datasets"].items() if values}
    return config | {"datasets": more | few}


def tiny_config(root: Path) -> dict:
    """The default configuration made small: three classes of odd names, few steps."""
    config = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
    config["models"]["diffusion"] = "models/stable-diffusion"
    config["datasets"] = {"photos": {"loader": "imagefolder", "path": "photos"}}
    config["images"] |= {"labels_per_class": 4, "test_fraction": 0.25, "validation_fraction": 0.15}
    config["captions"] |= {"max_new_tokens": 6, "num_beams": 2}
    config["banks"]["per_real"] = 1
    config["unet"] |= {"steps": 4, "steps_per_image": None, "batch_size": 4, "text": "bank"}
    config["synthetic"] |= {"shards": 2, "steps": 2}
    config["classifiers"] |= {"seeds": [0], "steps": 3, "batch_size": 8}
    config["classifiers"] |= {"per_real": None, "select": "first", "strategy": "two_phase"}
    arms = ("baseline", "aa", "faa", "ra", "ra+syn", "aa+syn", "aa+pretrained", "aa+rsp", "random")
    arms += ("ra+pretrained", "ra+real", "ra+real_vae", "ra+train_vae")
    config["classifiers"]["arms"] = {arm: config["classifiers"]["arms"][arm] for arm in arms}
    config["classifiers"]["models"] = {"wrn-10-1": {}}
    config["policies"] |= {"trials": 2, "kept": 1, "sub_policies": 2, "steps": 2}
    tables = ("table1", "table4", "table5")
    config["tables"]["rows"] = {table: ["wrn-10-1"] for table in tables}
    config["oracle"] |= {"steps": 3, "batch_size": 8, "resolution": 16}
    config["quality"] |= {"k": 1, "batch_size": 8}
    config["figures"] |= {"classes": 3, "images": 1}
    config["figures"]["samples"] = {"classes": 9, "per_class": 1, "steps": 2, "scale": 2.0}
    return config


def copy_parts(source: Path, folder: Path, *more: str) -> None:
    """Copy the project's own files, and further ones that are named, without results."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in (*PARTS, *more):
        copy = shutil.copytree if (source / part).is_dir() else shutil.copy2
        copy(source / part, folder / part)


def make_project(folder: Path) -> None:
    """Copy the project to a folder, with tiny data, tiny models and a tiny configuration."""
    import raw_data
    import tiny

    copy_parts(REPO, folder)
    raw_data.folder(folder / "photos", {name: 14 for name in CLASSES})
    (folder / "models").mkdir()
    tiny.stable_diffusion(folder / "models/stable-diffusion", text=128)
    text = yaml.safe_dump(tiny_config(folder), sort_keys=False, allow_unicode=True)
    (folder / "config/config.yaml").write_text(text, encoding="utf-8")


def read_states(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file of a project but Snakemake's own and Python's byte code."""
    files = (path for path in folder.rglob("*") if path.is_file())
    files = (path for path in files if not {".snakemake", "__pycache__"} & set(path.parts))
    states = ((path, path.stat()) for path in files)
    return {str(path): (state.st_size, state.st_mtime_ns) for path, state in states}
