"""The documentation names only what exists: links, paths, functions, keys, make targets."""

import ast
import re
from itertools import chain

import pytest
import yaml
from jsonschema import Draft202012Validator
from mvc.config.check import list_properties
from project_tree import REPO

PAGES = sorted(
    [
        *REPO.glob("*.md"),
        *(REPO / "docs").glob("*.md"),
        REPO / "config/README.md",
        REPO / "benchmarks/README.md",
    ]
)
SCRIPTS = REPO / "workflow/scripts"
SCHEMA = yaml.safe_load((REPO / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
SECTIONS = list_properties(SCHEMA, SCHEMA)
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# A page of old names, and names that stand for anything.
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
PLACEHOLDER = re.compile(r"[<>{}*…]|\.\.\.")
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPO)))
every_current_page = pytest.mark.parametrize(
    "page", CURRENT, ids=lambda p: str(p.relative_to(REPO))
)


def read(page):
    return page.read_text(encoding="utf-8")


def list_code(page):
    """What stands between single backticks outside of code blocks."""
    return re.findall(r"`([^`]+)`", FENCE.sub("", read(page)).replace("\n", " "))


def list_anchors(page):
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@every_page
def test_links_lead_somewhere(page):
    for link in LINK.findall(FENCE.sub("", read(page))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in list_anchors(target), link


@every_page
def test_paths_exist(page):
    """Every path of the project that a page names in backticks."""
    for name in list_code(page):
        path, _, member = name.partition(":")
        if not re.match(r"(mvc|workflow|tests|envs|docs|resources|profiles)/\S*$", path):
            continue
        if PLACEHOLDER.search(path):
            continue
        assert (SCRIPTS / path if path.startswith("mvc/") else REPO / path).exists(), name
        assert not member or path.endswith(".py"), name


def list_definitions(tree, prefix=""):
    """Names that a module defines: functions, classes, constants, and methods as Class.method."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from list_definitions(node, f"{node.name}.")
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


@every_page
def test_functions_exist(page):
    """Every `mvc/…/file.py:name` of a page."""
    for path, name in re.findall(r"`(mvc/[\w/]+\.py):([\w.]+)`", read(page)):
        tree = ast.parse((SCRIPTS / path).read_text(encoding="utf-8"))
        assert name in set(list_definitions(tree)), f"{path}:{name}"


def find_part(keys):
    """The schema of a key such as `classifiers.arms.ra.extra`; None where there is none."""
    part = SCHEMA
    for key in keys:
        part = list_properties(part, SCHEMA).get(key, part.get("additionalProperties"))
        if not isinstance(part, dict):
            return None
    return part


@every_current_page
def test_keys_exist(page):
    """Every `section.key` of a page."""
    for name in list_code(page):
        keys = name.split(".")
        if keys[0] in SECTIONS and len(keys) > 1 and re.fullmatch(r"[\w.<>+-]+", name):
            if keys[-1] not in ("py", "smk", "yaml", "md", "csv", "json", "parquet", "safetensors"):
                assert find_part(keys) is not None, name


def fits(value):
    """Whether a fragment of YAML is a valid part of a configuration, at one of its places."""
    places = (
        value,
        {"datasets": value},
        {"datasets": {"name": value}},
        {"classifiers": value},
        {"classifiers": {"arms": value}},
        {"classifiers": {"models": value}},
        {"unet": value},
    )
    return any(VALIDATOR.is_valid(place) for place in places)


@every_current_page
def test_examples_fit_the_schema(page):
    """Every YAML block, and every fragment in backticks such as `unet: {text: caption}`."""
    blocks = [body for language, body in FENCE.findall(read(page)) if language == "yaml"]
    for text in chain(blocks, (name for name in list_code(page) if re.match(r"[\w.-]+: ", name))):
        if PLACEHOLDER.search(re.sub(r"\{", "", text).replace("}", "")) or "partitions:" in text:
            continue
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        nested = isinstance(value, dict) and any(isinstance(v, dict) for v in value.values())
        if nested and "set-resources" not in value and "runtime" not in str(value):
            assert fits(value), text


@every_page
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", read(REPO / "Makefile"), re.MULTILINE))
    commands = re.findall(r"^make ([a-z-]+)", read(page), re.MULTILINE)
    commands += [name[5:].split()[0] for name in list_code(page) if name.startswith("make ")]
    assert set(commands) <= targets


def test_ci_runs_what_a_submission_must_pass():
    """The jobs of the workflow are .ci/run's two commands, `make test` in its three tiers."""
    makefile = read(REPO / "Makefile")
    (jobs,) = yaml.safe_load(read(REPO / ".github/workflows/ci.yml"))["jobs"].values()
    names = {job["name"]: job["target"] for job in jobs["strategy"]["matrix"]["include"]}
    assert list(names) == ["lint", "unit", "workflow", "slurm"]
    assert re.findall(r"^make (\S+)$", read(REPO / ".ci/run"), re.MULTILINE) == ["check", "test"]
    for target in [*names.values(), "test"]:
        assert re.search(rf"^{target}: environment", makefile, re.MULTILINE)
    tiers = dict(re.findall(r"^(test-\w+): .*\n.*-m (\S.*)$", makefile, re.MULTILINE))
    assert set(tiers) == set(names.values()) - {"check"} | {"test-real"}
    nightly = yaml.safe_load(read(REPO / ".github/workflows/nightly.yml"))
    assert {"schedule", "workflow_dispatch"} == set(nightly[True])  # YAML 1.1 reads `on` so
    assert nightly["jobs"]["real"]["steps"][-1] == {"run": "make test-real"}


def test_readme_is_short_and_lists_every_stage():
    text = read(REPO / "README.md")
    assert len(text.splitlines()) <= 130
    stages = re.findall(r'"workflow/rules/(\w+)\.smk"', read(REPO / "Snakefile"))
    table = text[text.index("## The stages") :]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [
        stage for stage in stages if stage not in ("common", "miniature")
    ]


def test_architecture_answers_sixteen_questions():
    text = read(REPO / "docs/architecture.md")
    section = text[text.index("## Where is …") :].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)[1:]
    assert len(rows) == 16
    for question, answer in rows:
        assert re.search(r"`(mvc|workflow|docs|config)/[\w/.]+", answer), question


def test_architecture_lists_every_module():
    text = read(REPO / "docs/architecture.md")
    listed = dict(re.findall(r"^\| `mvc/(\w+)/` \| .* \| (.*) \|$", text, re.MULTILINE))
    packages = {folder.name for folder in (SCRIPTS / "mvc").iterdir() if folder.is_dir()}
    assert set(listed) == packages - {"__pycache__"}
    for package, modules in listed.items():
        folder = SCRIPTS / "mvc" / package
        files = {file.stem for file in folder.glob("*.py")} - {"__init__"}
        files |= {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
        assert set(re.findall(r"`([\w/]+)`", modules)) == files, package
