"""The package `mvc`: what is installed, what an import costs, what its face offers."""

import inspect
import json
import re
import shutil
import subprocess
import sys
import tomllib

import mvc
import pytest
import yaml
from mvc.library.tuning import MEMORY, SETTINGS
from project_tree import REPO

HEAVY = ("torch", "timm", "transformers", "diffusers", "open_clip", "pandas", "pyarrow", "PIL")
CONFIG = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
# The sections of the configuration that hold a function's defaults.
SECTIONS = {
    "caption": "captions",
    "embed": "embeddings captions",
    "mix": "banks",
    "load_generator": "synthetic",
    "generate": "unet",
    "filter": "synthetic captions",
}


def run_python(code, folder, **options):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that the project was installed to without its dependencies, by pip."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name in ("pyproject.toml", "README.md", "LICENSE", "envs", "workflow/scripts/mvc"):
        copy = shutil.copytree if (REPO / name).is_dir() else shutil.copy2
        copy(REPO / name, source / name)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", target, source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_an_installed_package_is_the_same_files(installed, tmp_path):
    """Imported from another folder; none is left out, templates neither."""
    code = "import mvc.library.texts; print(mvc.__file__); print(mvc.materialise.__module__)"
    done = run_python(code, tmp_path, env={"PYTHONPATH": str(installed)})
    file = str(installed / "mvc/__init__.py")
    assert done.stdout.split() == [file, "mvc.library.texts"], done.stderr
    source = REPO / "workflow/scripts/mvc"
    files = (path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
    for path in files:
        assert (installed / "mvc" / path.relative_to(source)).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in installed.iterdir() if "mvc" not in path.name) == []


def test_version_and_dependencies_are_those_of_the_project(installed):
    version = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    cited = yaml.safe_load((REPO / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    (newest, *_) = re.findall(r"^## ([\d.]+)", (REPO / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert version == cited == newest
    (metadata,) = installed.glob("mvc-*.dist-info/METADATA")
    text = metadata.read_text(encoding="utf-8")
    assert f"\nVersion: {version}\n" in text
    lines = (REPO / "envs/requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert re.findall(r"^Requires-Dist: (.*)$", text, re.M) == wanted and len(wanted) > 20


def test_import_mvc_imports_no_library(tmp_path):
    code = "import mvc, sys, json; dir(mvc); print(json.dumps(sorted(sys.modules)))"
    env = {"PYTHONPATH": str(REPO / "workflow/scripts")}
    there = set(json.loads(run_python(code, tmp_path, env=env).stdout))
    assert "mvc" in there and not there & {*HEAVY}
    assert not [name for name in there if name.startswith("mvc.")]


@pytest.mark.parametrize("name", mvc.__all__)
def test_the_face_is_documented(name):
    function = getattr(mvc, name)
    assert inspect.getdoc(function).endswith((".", ")"))
    assert name in dir(mvc)
    documented = inspect.getdoc(function)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            assert parameter.name in documented, parameter.name


def test_another_name_is_refused_with_those_that_there_are():
    with pytest.raises(AttributeError, match="no 'captions_of'; its functions are caption, embed"):
        mvc.captions_of  # noqa: B018
    from mvc import embeddings  # a module is no function of the face, and is found

    assert embeddings.__name__ == "mvc.embeddings"


@pytest.mark.parametrize("name", SECTIONS)
def test_defaults_are_those_of_the_configuration(name):
    sections = [CONFIG[section] for section in SECTIONS[name].split()]
    parameters = inspect.signature(getattr(mvc, name)).parameters.values()
    known = {each.name: each.default for each in parameters}
    held = [key for key in known if any(key in section for section in sections)]
    for key in held:
        section = next(section for section in sections if key in section)
        assert known[key] == section[key], key
    assert held


def test_settings_of_tune_are_those_of_the_configuration():
    watched = {"processes", "validation", "early_stop", "sample_every", "tracker"}
    assert CONFIG["unet"].keys() - watched == {*SETTINGS, *MEMORY}
    assert SETTINGS | MEMORY == {key: CONFIG["unet"][key] for key in SETTINGS | MEMORY}
