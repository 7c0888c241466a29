"""Re-run boundaries: the modules in the digest of each GPU stage, and what an edit leaves fresh."""

import shutil
from collections.abc import Iterator

import pytest
from mvc.config.code import UNDIGESTED, digest_code, list_code_files
from mvc.console.disk import explain_errors
from mvc.console.progress import progress
from project_tree import REPO
from test_layers import list_imports

SCRIPTS = REPO / "workflow/scripts"
TABLES = "core.atomic core.image_tables"
PIXELS = "core.decoding core.parallel core.pixels core.square"
RECIPES = "banks.mixing banks.recipes core.counts core.seeds"
CLIP = "core.batching core.device core.finite models.clip models.opening models.parts models.tower"
DIFFUSION = (
    f"{PIXELS} core.batching core.device core.finite models.fitting models.opening models.parts "
    "models.stable_diffusion"
)
SAMPLING = (
    f"{TABLES} {RECIPES} {DIFFUSION} core.hashing "
    "synthetic.constant synthetic.guidance synthetic.plan synthetic.sampler"
)
TRAINING = (
    f"{TABLES} {PIXELS} core.checkpoint core.counts core.device core.hashing core.image_set "
    "core.pixel_cache core.seeds "
    "policies.files training.augment training.autoaugment training.fit training.hyperparameters "
    "training.loop training.networks training.operations training.resuming "
    "training.strategies training.wide_resnet"
)
# The modules whose edit makes a stage run again.
DIGESTS = {
    "captions": f"{TABLES} core.decoding core.square captions.generation captions.own "
    "captions.prompts core.batching core.csv_tables core.device core.finite "
    "core.leakage models.blip2 models.opening models.parts",
    "embeddings": f"{TABLES} {CLIP} embeddings",
    "unet": f"{TABLES} {RECIPES} {DIFFUSION} core.hashing core.leakage core.checkpoint unet.adapt "
    "unet.average unet.finetune unet.launch unet.memory unet.optimizers unet.pairs unet.trainer "
    "unet.validation unet.watch",
    "unet_report": f"{SAMPLING} figures.finetuning figures.grid figures.sampled",
    "synthetic": f"{SAMPLING} {CLIP} captions.prompts core.leakage synthetic.clip_filter "
    "synthetic.origin",
    "real": f"{TABLES} {DIFFUSION} core.counts synthetic.controls",
    "policies": f"{TRAINING} policies.search",
    "classifiers": f"{TRAINING} classifiers.extra_images classifiers.kept classifiers.measures "
    "classifiers.run core.leakage synthetic.choice",
    "oracle": f"{TABLES} {PIXELS} core.device core.finite core.hashing core.image_set "
    "core.pixel_cache quality.oracle",
    "quality": f"{TABLES} {PIXELS} {CLIP} quality.measures quality.metrics quality.oracle",
    "figure2": f"{SAMPLING} figures.grid figures.sampled",
    "figure6": f"{SAMPLING} figures.grid figures.sampled",
}
# All that digested code takes from modules outside the digest.
TAKEN = {
    "mvc.job.stage_log",
    "mvc.job.limit_threads",
    "mvc.console.disk.explain_errors",
    "mvc.console.progress.Meter",
    "mvc.console.progress.progress",
    "mvc.figures.watching",
}


@pytest.mark.parametrize("stage", DIGESTS)
def test_code_files_of_a_gpu_stage_are_these_modules(stage):
    files = (path.relative_to(SCRIPTS) for path in list_code_files(SCRIPTS / f"{stage}.py"))
    modules = {".".join(file.with_suffix("").parts) for file in files if file.name != "__init__.py"}
    expected = {f"mvc.{name}" for name in DIGESTS[stage].split()}
    assert modules - {stage} == expected


def is_undigested(name: str) -> bool:
    _, package, module, *_ = [*name.split("."), ""]
    return bool({package, f"{package}.py", f"{package}/{module}.py"} & {*UNDIGESTED})


def test_digested_code_takes_nothing_else_from_outside_the_digest():
    """None of it can change a result: the tests below, `test_job.py`, `test_watching.py`."""
    files = {path for stage in DIGESTS for path in list_code_files(SCRIPTS / f"{stage}.py")}
    names = {name for path in files for name in list_imports(path) if name.startswith("mvc.")}
    assert {name for name in names if is_undigested(name)} == TAKEN


def test_what_is_outside_the_digest_reads_nothing_of_the_stages():
    """`console` imports nothing of `mvc`; `job` compares digests and counts, and limits the CPU."""
    names = list_imports(SCRIPTS / "mvc/job.py")
    for path in (SCRIPTS / "mvc/console").glob("*.py"):
        names |= list_imports(path)
    imported = {name for name in names if name.startswith("mvc.")}
    taken = {"mvc.config.code.refuse_edited", "mvc.config.needs.list_unmet_needs"}
    taken |= {"mvc.core.instructions.limit_instructions"}  # as the job's `cfg` says
    assert {n for n in imported if not is_undigested(n)} == taken


def test_progress_yields_the_very_same_objects_in_order():
    items = [object() for _ in range(5)]
    shown = list(progress(iter(items), total=5, unit="items"))
    assert len(shown) == 5 and all(one is other for one, other in zip(shown, items, strict=True))


def test_progress_takes_an_item_only_when_it_is_asked_for():
    def count() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    taken: list[int] = []
    assert next(progress(count(), total=3, unit="items")) == 0
    assert taken == [0]


@pytest.mark.parametrize("error", [OSError(28, "full"), OSError(2, "none"), ValueError("v")])
def test_explain_errors_ends_every_block_that_fails(tmp_path, error):
    with pytest.raises(type(error)):
        with explain_errors(tmp_path / "file"):
            raise error


# An edit of a module: what it replaces, the stages that it leaves fresh, and those it makes stale.
EDITS = {
    "figures/grid.py": ("GAP, GROUP_GAP, MARGIN = 2,", "unet synthetic", "unet_report figure1"),
    "figures/watching.py": ("samples", "unet images", ""),
    "console/progress.py": ("items", "unet images classifiers", ""),
    "console/disk.py": ("no space left", "unet images classifiers", ""),
    "job.py": ("failed: see", "unet images classifiers", ""),
    "core/atomic.py": (".part", "", "unet images classifiers"),
}


@pytest.mark.parametrize("module", EDITS)
def test_code_digest_leaves_what_an_edit_cannot_change(tmp_path, module):
    old, fresh, stale = EDITS[module]
    copy = shutil.copytree(SCRIPTS, tmp_path / "scripts")
    before = {stage: digest_code(copy / f"{stage}.py") for stage in f"{fresh} {stale}".split()}
    path = copy / "mvc" / module
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, old.upper().replace("2,", "3,")), encoding="utf-8")
    edited = {stage for stage in before if digest_code(copy / f"{stage}.py") != before[stage]}
    assert edited == set(stale.split())
