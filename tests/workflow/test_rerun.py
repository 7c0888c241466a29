"""Snakemake re-runs what `stale` says: a dozen dry runs that together touch every rule.

`tests/config/test_params.py` has every key of the configuration, without Snakemake.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from project_tree import PARTS
from stale import FEEDS, find_stale
from workflow_run import planned, snakemake

pytestmark = pytest.mark.slow

CONFIG = "config/config.yaml"
# Edits of keys, and the rules that must run again.
EDITS = [
    (
        {"unet.steps": 5},
        "unet unet_card unet_report synthetic notices classifiers confusion table diagnostics "
        "quality quality_table figure1 figure2 figure5 figure6",
    ),
    ({"synthetic.pretrained_share": 0.5}, "mixed notices classifiers confusion table diagnostics"),
    (
        {
            "classifiers.rsp.p": 0.4,
            "oracle.steps": 4,
            "figures.coarse": 1,
            "figures.samples.steps": 3,
        },
        "classifiers confusion table oracle quality quality_table figure2 unet_report",
    ),
    (
        {"classifiers.arms.random.augmentation": "aa", "figures.cell": 50},
        "classifiers confusion diagnostics figure1 figure2 figure5 figure6",
    ),
    (
        {"policies.trials": 3, "tables.digits": 2},
        "policies classifiers confusion table diagnostics",
    ),
]


@pytest.fixture(scope="module")
def folder(project, tmp_path_factory) -> Path:
    """A copy of the tiny project in which Snakemake takes placeholders for the results.

    What is planned depends on Snakemake's records and on the files' times, not on their content.
    """
    root = tmp_path_factory.mktemp("rerun") / "project"
    results = shutil.ignore_patterns("results", "logs", ".snakemake")
    shutil.copytree(project, root, ignore=results)
    shutil.copytree(root / "photos", root / "more")
    for path in list_outputs(snakemake(root, "--dry-run", "all", cores=1)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("a placeholder", encoding="utf-8")
    snakemake(root, "--touch", "--forceall", "all", cores=1)
    assert planned(root, "all") == []
    return root


def list_outputs(text: str) -> set[str]:
    """All files that a dry run says it would make."""
    lines = re.findall(r"^ +output: (.+)$", text, re.M)
    return {path for line in lines for path in line.split(", ")}


@pytest.fixture
def config(folder) -> dict:
    return yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))


@contextmanager
def restored(*paths: Path) -> Iterator[None]:
    """Give files their content and times back at the end."""
    kept = {path: (path.read_bytes(), path.stat()) for path in paths}
    try:
        yield
    finally:
        for path, (content, status) in kept.items():
            path.write_bytes(content)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def list_edges(folder: Path, *arguments: str) -> set[tuple[str, str]]:
    """Pairs of a rule and one that reads its files; the target itself is none."""
    graph = snakemake(folder, "--rulegraph", "dot", *arguments, "--", "all", cores=1)
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', graph))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", graph)}
    return {(rule, reader) for rule, reader in edges if reader != "all"}


def test_feeds_is_the_graph_of_the_rules(folder):
    feeds = {(rule, reader) for rule, readers in FEEDS.items() for reader in readers.split()}
    mixed = {edge for edge in feeds if "mixed" in edge}  # no image is by both generators here
    assert list_edges(folder) == feeds - mixed


@pytest.mark.parametrize("edits, stale", EDITS)
def test_an_edit_makes_exactly_its_stages_stale(folder, config, edits, stale):
    before = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    for key, value in edits.items():
        *parts, last = key.split(".")
        place = config
        for part in parts:
            place = place[part]
        place[last] = value
    assert find_stale(before, config) == set(stale.split())
    (folder / "edited.yaml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False))
    assert planned(folder, "all", "--configfile", "edited.yaml") == sorted(stale.split())


def test_all_edits_together_touch_every_rule_but_the_first_ones():
    """Those are touched by an added photo."""
    touched = {rule for _, stale in EDITS for rule in stale.split()}
    first = {"images", "captions", "embeddings", "banks", "pretrained", "real", "pixels"}
    assert touched | first == set(FEEDS)


# The same values once more, by an anchor and by a merge key; and one that changes no result.
REPEATED = """
seed: &zero 0
classifiers: {seeds: [*zero]}
unet: {processes: 2, dropout: {<<: {text: 0.05, image: 0.05}, both: 0.05}}
"""


def test_layout_order_and_processes_make_nothing_stale(folder, config):
    shuffled = {key: config[key] for key in reversed(config)}
    shuffled["unet"] = {key: config["unet"][key] for key in reversed(config["unet"])}
    text = "# a comment\n" + yaml.safe_dump(shuffled, allow_unicode=True, sort_keys=False)
    (folder / "renamed.yaml").write_text(text, encoding="utf-8")
    (folder / "repeated.yaml").write_text(REPEATED, encoding="utf-8")
    repeated = yaml.safe_load(REPEATED)
    assert repeated["unet"]["dropout"] == config["unet"]["dropout"]
    assert [repeated["seed"]] == repeated["classifiers"]["seeds"] == config["classifiers"]["seeds"]
    with restored(folder / CONFIG):
        (folder / CONFIG).write_text(text, encoding="utf-8")
        assert planned(folder, "all", "--configfile", "renamed.yaml", "repeated.yaml") == []


def test_comments_touches_and_a_checkout_make_nothing_stale(folder):
    """Every source is newer than every result, and has a comment where it can have one."""
    places = (folder / part for part in PARTS)
    files = [path for place in places for path in (place, *place.rglob("*")) if path.is_file()]
    names = {file.name for file in files}
    assert {"Snakefile", "captions.py", "config.yaml", "model.safetensors"} <= names
    with restored(*files):
        for path in files:
            if path.suffix in ("", ".py", ".smk", ".yaml"):
                path.write_bytes(path.read_bytes() + b"\n# a comment\n")
            os.utime(path)
        assert planned(folder, "all") == []


@pytest.mark.parametrize(
    "module, stage",
    [("mvc/quality/oracle.py", "oracle"), ("captions.py", "captions")],
)
def test_an_edit_of_code_makes_its_stage_and_what_follows_stale(folder, module, stage):
    """`tests/config/test_code.py` holds which modules each stage imports."""
    path = folder / "workflow/scripts" / module
    with restored(path):
        path.write_text(path.read_text(encoding="utf-8") + "\nADDED = 1\n", encoding="utf-8")
        assert set(planned(folder, "all")) == follow(stage)


def follow(rule: str) -> set[str]:
    """A rule and all that its files reach."""
    return {rule}.union(*map(follow, FEEDS[rule].split())) - {"mixed"}


def test_an_added_photo_makes_its_data_set_stale(folder):
    photo = next((folder / "photos").rglob("*.png"))
    added = Path(shutil.copy(photo, photo.with_name("added.png")))
    try:
        assert set(planned(folder, "all")) == follow("images")
    finally:
        added.unlink()


def test_the_same_photos_unpacked_again_make_nothing_stale(folder):
    """Other times, same bytes: whatever the size up to which Snakemake compares contents."""
    photos = folder / "photos"
    shutil.copytree(photos, folder / "unpacked", copy_function=shutil.copyfile)
    shutil.rmtree(photos)
    (folder / "unpacked").rename(photos)
    assert planned(folder, "all", "--max-checksum-file-size", "1B") == []
    assert planned(folder, "all") == []


def test_unet_reads_the_bank_only_where_its_text_is_the_banks(folder):
    """So that a change of the bank leaves it fresh; generation reads the bank in any case."""
    (folder / "caption.yaml").write_text("unet: {text: caption}", encoding="utf-8")
    edges = list_edges(folder, "--configfile", CONFIG, "caption.yaml")
    assert ("banks", "synthetic") in edges and ("banks", "unet") not in edges


RUNS = r"results/photos/classifiers/wrn-10-1"
REPORTS = r"results/tables/\w+\.\w+"
# What is added to the configuration, what alone is made, and what is made in any case.
ADDED = {
    "datasets: {further: {loader: imagefolder, path: more}}": (
        rf"results/further/.+|{REPORTS}",
        {"results/further/captions.parquet", "results/tables/table1.csv"},
    ),
    "classifiers: {seeds: [0, 1], arms: {ra+long: {augmentation: ra, extra: null, steps: 4}}}": (
        rf"{RUNS}/[^/]+/(1\.json|confusion\.png)|{RUNS}/ra\+long/0\.json|{REPORTS}",
        {f"{RUNS}/ra+syn/1.json", f"{RUNS}/ra+long/0.json", "results/tables/diagnostics.csv"},
    ),
    "synthetic: {shards: 3}": (
        r"results/photos/synthetic/\w+/\d-of-3\.parquet|results/photos/quality/.+|"
        r"results/photos/notices\.json|"
        rf"{RUNS}/.+(syn|pretrained|rsp|real|real_vae|train_vae)/(0\.json|confusion\.png)|"
        rf"{REPORTS}|results/figures/figure[15]\.png",
        {"results/photos/synthetic/finetuned/2-of-3.parquet", "results/tables/table1.csv"},
    ),
}


@pytest.mark.parametrize("added", ADDED)
def test_what_is_added_is_made_and_nothing_else(folder, added):
    only, some = ADDED[added]
    (folder / "added.yaml").write_text(added, encoding="utf-8")
    text = snakemake(folder, "--dry-run", "all", "--configfile", CONFIG, "added.yaml", cores=1)
    made = list_outputs(text)
    assert some <= made
    assert [path for path in made if not re.fullmatch(only, path)] == []
