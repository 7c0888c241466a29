import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from mvc.config import params, plan
from mvc.config.check import faults, read_schema
from mvc.config.code import code_digest, recall_start
from mvc.config.expand import expand_config
from mvc.config.files import (
    list_missing_files,
    list_model_files,
    list_weights_files,
)
from mvc.config.renamed import list_old_spellings
from mvc.config.sections import merge_section, sort_config
from mvc.console.endings import Jobs
from mvc.core.atomic import check_folder
from mvc.images.sources import digest_source

# Environment variable with digests of what a run had read when it started, for its jobs.
STARTED_WITH = "MVC_STARTED_WITH"
# What a run says at its end.
JOBS = Jobs()
logger.addHandler(JOBS)


wildcard_constraints:
    dataset=r"[A-Za-z0-9][\w.-]*",
    shard=r"\d+",
    shards=r"\d+",
    seed=r"\d+",


def check(lines):
    """Stop at the faults of a configuration, one line each, if there are any."""
    if lines:
        raise WorkflowError("\n  ".join(["The configuration has faults:", *lines]))


def check_schema(settings, name):
    """Stop at old spellings, then at all else that a schema refuses."""
    check(list_old_spellings(settings))
    file = Path(workflow.basedir) / "workflow/schemas" / name
    check(faults(expand_config(settings), read_schema(file)))


def start(record):
    """What this run had read when it started; a job, which reads all anew, has it from the run."""
    try:
        return recall_start(config, record)
    except ValueError as error:
        raise WorkflowError(str(error)) from error


check_schema(config, "config.schema.yaml")
config = sort_config(expand_config(config))
check(list_missing_files(config))
STARTED = start(None if workflow.is_main_process else os.environ.get(STARTED_WITH))
# The data set that each figure shows.
SHOWN = plan.choose_figure_datasets(config)
# Where the tables and figures of all data sets together lie: `photos/tables` of `name: photos`.
NAME = f"{config['name']}/" if config["name"] else ""


pathvars:
    name=NAME,


def check_folders():
    """Stop a run before its first job if the folders that it writes to take no file."""
    for folder in ("results", "logs"):
        try:
            check_folder(folder)
        except OSError as error:
            raise WorkflowError(error.strerror) from error


def list_source_datasets(path):
    """The data sets that a file was made of, by Snakemake's own record of it."""
    inputs = workflow.persistence.input(path) or []
    return {Path(file).parts[1] for file in inputs if file.startswith("results/")}


def check_overwritten():
    """Stop a run that would overwrite tables or figures of data sets that it does not know."""
    first, *_ = config["datasets"]
    for path in (path for job in workflow.dag.needrun_jobs() for path in job.output):
        folder = Path(path).parent.name
        if folder not in ("tables", "figures") or not Path(path).exists():
            continue
        if unknown := list_source_datasets(path).difference(config["datasets"]):
            raise WorkflowError(
                f"{path} was made of other data sets ({', '.join(sorted(unknown))}) and would be "
                "overwritten. Give this configuration a name, and its tables and figures get a "
                f"folder of their own: --config name={first}, or a line name: … in its file."
            )


def code(script):
    """Digest of `script` and every `mvc` module it imports, as they were when the run started."""
    if script not in STARTED["code"]:
        STARTED["code"][script] = code_digest(SCRIPTS / script)
    if workflow.is_main_process:
        os.environ[STARTED_WITH] = json.dumps(STARTED)
    return STARTED["code"][script]


def reads(stage):
    """What a stage reads of the configuration, which is the `cfg` of its rule."""
    return lambda wildcards: params.read(
        config, stage, wildcards, digest_source=digest_source
    )


# The models' files, and a user's own: they are inputs, so that a change of them is noticed.
def model_files(*models):
    return list_model_files(config["models"], *models)


def vae_files(wildcards):
    return [] if wildcards.generator == "real" else model_files("diffusion")


def weights_files(wildcards):
    return list_weights_files(reads("classifiers")(wildcards)["weights"])


def search_weights_files(wildcards):
    return list_weights_files(reads("policies")(wildcards)["training"]["weights"])


def own_file(section):
    return (
        lambda wildcards: merge_section(config, section, wildcards.dataset)["file"]
        or []
    )


def unet_bank(wildcards):
    """Not read where the text is each image's own caption."""
    text = merge_section(config, "unet", wildcards.dataset)["text"]
    return f"results/{wildcards.dataset}/bank.parquet" if text == "bank" else []


# The images that a set, an arm, an evaluation reads.
def generator_images(wildcards):
    return plan.list_shards(config, wildcards.dataset, wildcards.generator)


def synthetic_images(wildcards):
    generator = plan.choose_generator(config, wildcards.dataset)
    return plan.list_shards(config, wildcards.dataset, generator)


def extra_images(wildcards):
    return plan.list_extra_images(config, wildcards.dataset, wildcards.arm)


def evaluation_images(wildcards):
    split = merge_section(config, "classifiers", wildcards.dataset)["split"]
    return f"results/{wildcards.dataset}/images/{split}.parquet"


def arm_policies(wildcards):
    return plan.find_policies(config, wildcards.dataset, wildcards.arm) or []


def table_runs(wildcards):
    runs = plan.list_table_runs(config, f"table{wildcards.number}")
    return [run.path for run in runs]


def comparison_runs(wildcards):
    return [run.path for run in plan.list_comparison_runs(config, wildcards.study)]


# Targets.
def diagnostic_runs():
    return [run.path for run in plan.list_diagnostic_runs(config)]


def tables_wanted():
    tables = [f"results/{NAME}tables/{table}.csv" for table in plan.list_tables(config)]
    figures = [f"results/{NAME}figures/{figure}.png" for figure in SHOWN]
    return [*tables, *figures, *unet_reports(plan.list_finetuned(config))]


def unet_reports(datasets):
    return expand("results/{dataset}/unet/samples.png", dataset=datasets)


def reports_wanted():
    """Diagnostics only where some arm of theirs is run; quality is that of every data set."""
    diagnostics = [f"results/{NAME}tables/diagnostics.csv"] if diagnostic_runs() else []
    quality = [f"results/{NAME}tables/quality.csv", *unet_reports(config["datasets"])]
    return [*diagnostics, *quality]


# Resources of fine-tuning.
def processes(wildcards):
    """Each has a GPU and a CPU core."""
    return merge_section(config, "unet", wildcards.dataset)["processes"]


def unet_memory(wildcards, attempt):
    """Memory in MB: of the state that is saved, and of what each process holds."""
    return (16_000 + 16_000 * processes(wildcards)) * attempt
