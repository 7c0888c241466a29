import json
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec
from logging import DEBUG
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# The folder of this workflow, which may be a module of another one, in another folder.
ROOT = Path(str(workflow.current_basedir)).parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))
# Jobs search site-packages before their scripts' folder, where an installed `mvc` would hide ours.
SEARCHED = "PYTHONPATH"
if PathFinder.find_spec("mvc", sys.path[1:]):
    PATHS = [str(SCRIPTS), *filter(None, [os.environ.get(SEARCHED)])]
    os.environ[SEARCHED] = os.pathsep.join(PATHS)

from mvc.config import params, plan
from mvc.config.candidates import choose_keeping, list_candidates
from mvc.config.check import list_faults, list_missing_packages, read_schema
from mvc.config.code import digest_code, recall_start
from mvc.config.decoded import list_run_pixels, list_search_pixels
from mvc.config.expand import expand_config, list_subset_faults
from mvc.config.files import (
    find_shipped,
    list_missing_files,
    list_overwritten,
    list_weights_files,
)
from mvc.config.limits import limit_training
from mvc.config.needs import (
    collect_needs,
    list_delivery_faults,
    list_keeping_faults,
    list_run_faults,
    list_setting_warnings,
)
from mvc.config.networks import list_network_faults
from mvc.config.reading import list_key_faults, list_null_faults, list_option_faults
from mvc.config.rehearsal import (
    add_rehearsals,
    has_rehearsal,
    has_meaningless_accuracy,
    list_rehearsed_files,
)
from mvc.config.renamed import list_old_spellings
from mvc.config.reported import (
    list_needed_files,
    list_states,
    list_templates,
    list_vocabulary,
    read_report,
)
from mvc.config.sections import merge_section, sort_config
from mvc.config.selection import find_oracle
from mvc.console.alive import hold_lock
from mvc.console.endings import Jobs, drop_repeated
from mvc.console.rules import Rules
from mvc.console.ticker import Ticker
from mvc.core.atomic import check_folder
from mvc.estimate.unfit import list_unfit_networks
from mvc.images.sources import digest_source
from mvc.job import NEEDS, count_gpus, find_unmet
from mvc.models.checking import list_model_faults
from mvc.models.doubts import list_warnings
from mvc.models.parts import list_model_files
from mvc.notices.block import collect_notices, format_after_images, format_terminal

# Environment variable with digests of what a run had read when it started, for its jobs.
STARTED_WITH = "MVC_STARTED_WITH"
# Collects what a run prints at its end.
JOBS = Jobs(on_images=lambda file: logger.warning(format_after_images(file)))
logger.addHandler(JOBS)
# Prints what the running jobs and their rules are at.
RULES = Rules()
logger.addHandler(RULES)
TICKER = Ticker(JOBS.running, logger.info, RULES.list_progress)
# The lock that a run holds as long as it is alive.
ALIVE = []


wildcard_constraints:
    dataset=r"[A-Za-z0-9][\w.-]*",
    shard=r"\d+",
    shards=r"\d+",
    seed=r"\d+",


def check(lines):
    """Stop at the faults of a configuration, one line each, if there are any."""
    if lines:
        sys.exit("\n  ".join(["The configuration has faults:", *lines]))


def check_schema(settings, name):
    """Stop at old spellings, then at whatever else the schema refuses."""
    check(list_old_spellings(settings) + list_subset_faults(settings.get("datasets")))
    file = ROOT / "workflow/schemas" / name
    check(list_faults(expand_config(settings), read_schema(file)))


def start(record):
    """What this run had read when it started. A job, which reads all again, has it from the run."""
    try:
        return recall_start(config, record)
    except ValueError as error:
        raise WorkflowError(str(error)) from error


def limit_gpu_jobs(gpus):
    """Run as many jobs that use a GPU as this machine has GPUs, unless `--resources gpu=…` says."""
    if gpus and "gpu" not in workflow.global_resources:
        workflow.register_resource("gpu", gpus)


if workflow.is_main_process:
    check(list_option_faults(sys.argv[1:]) + list_key_faults(workflow.configfiles))
    check(list_null_faults(workflow.configfiles))
check_schema(config, "config.schema.yaml")
config = sort_config(find_shipped(expand_config(config), ROOT))
if has_rehearsal(sys.argv[1:]):
    config = sort_config(add_rehearsals(config))
check(list_missing_files(config))
if workflow.is_main_process:
    check([*list_model_faults(config), *list_network_faults(config)])
    check(list(list_missing_packages(config, find_spec)))
if workflow.is_main_process and workflow.resource_settings.nodes is None:
    limit_gpu_jobs(count_gpus())
STARTED = start(None if workflow.is_main_process else os.environ.get(STARTED_WITH))
# The data set that each figure shows.
SHOWN = plan.choose_figure_datasets(config)


pathvars:
    name=plan.name_folder(config),


def lift_rate_limit():
    """Lift Snakemake's default limit of 100 jobs a second.

    With a limit the scheduler looks for jobs again a second after each look, and each job that ends
    adds one such chain: after hundreds of jobs it would keep a core busy.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def check_folders():
    """Stop a run before its first job if no file can be written to its folders."""
    for folder in ("results", "logs"):
        try:
            check_folder(folder)
        except OSError as error:
            raise WorkflowError(error.strerror) from error


def check_runs():
    """Stop a run that cannot be made with these settings, or with the images that are there."""
    rules_checked = (
        "images unet synthetic augmented_set policies classifiers classifier"
    )
    jobs = {name: [] for name in rules_checked.split()}
    for job in workflow.dag.needrun_jobs():
        jobs.get(job.rule.name, []).append(job.wildcards)
    runs = [(each.dataset, each.model, each.arm) for each in jobs["classifiers"]]
    check(list(list_run_faults(config, runs)))
    if jobs["synthetic"]:
        check(list(list_unfit_networks(config, runs)))
    searched = [each.dataset for each in jobs["policies"]]
    tuned = [each.dataset for each in jobs["unet"]]
    chosen = [each.dataset for each in jobs["classifier"]]
    delivered = [each.dataset for each in jobs["augmented_set"]]
    check(list(list_delivery_faults(config, delivered)))
    check(list(list_keeping_faults(config, chosen)))
    needs = collect_needs(config, runs, searched, tuned, chosen, delivered)
    os.environ[NEEDS] = json.dumps(needs)  # for jobs after those of `images`
    made = {each.dataset for each in jobs["images"]}
    check([line for dataset in needs.keys() - made for line in find_unmet(dataset)])


def show_warnings():
    """Print what can be run but is hardly meant."""
    diffusing = {"unet", "synthetic", "pretrained", "mixed"}
    is_here = workflow.resource_settings.nodes is None  # not on the nodes of a cluster
    on_cpu = (
        is_here
        and not count_gpus()
        and not diffusing.isdisjoint(
            job.rule.name for job in workflow.dag.needrun_jobs()
        )
    )
    for line in [*list_warnings(config, on_cpu=on_cpu), *list_setting_warnings(config)]:
        logger.warning(f"Warning: {line}")


def list_meaningful_files():
    """The files of this run, made now or before, but what a rehearsal measures."""
    files = [file for job in workflow.dag.jobs for file in job.output]
    return [file for file in files if not has_meaningless_accuracy(file)]


def show_notices():
    """Print what a user should know about the data sets and models of this run."""
    if block := format_terminal(collect_notices(list_meaningful_files())):
        logger.warning(block)


def show_verdicts():
    """Print the verdict of each table of this run in one line."""
    from mvc.report.verdicts import list_headlines  # imports pandas

    for line in list_headlines(list_meaningful_files()):
        logger.warning(line)


def leave_failures_to_the_end():
    """Let the terminal show of failed jobs what `JOBS` says of them last; the log has all."""
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and not logger.isEnabledFor(DEBUG):
            handler.addFilter(drop_repeated)


def list_targets():
    """The files that were asked for; those of a rule, where its name was."""
    named = [file for job in workflow.dag.targetjobs for file in job.output]
    return workflow.dag.derived_targetfiles or named


def check_overwritten():
    """Stop a run that would overwrite tables or figures of data sets that it does not have."""
    written = [path for job in workflow.dag.needrun_jobs() for path in job.output]
    for line in list_overwritten(
        written, config["datasets"], workflow.persistence.input
    ):
        raise WorkflowError(line)


def code(script):
    """Digest of `script` and every `mvc` module it imports, as they were when the run started."""
    if script not in STARTED["code"]:
        STARTED["code"][script] = digest_code(SCRIPTS / script)
    if workflow.is_main_process:
        os.environ[STARTED_WITH] = json.dumps(STARTED)
    return STARTED["code"][script]


def reads(stage):
    """What a stage reads of the configuration, which is the `cfg` of its rule."""
    return lambda wildcards: params.read(
        config, stage, wildcards, digest_source=digest_source
    )


# Files of the models, and the user's own: inputs, so that a change of them is noticed. They are on
# this machine, wherever results are stored.
def model_files(*parts):
    return [local(file) for file in list_model_files(config["models"], *parts)]


def weights_files(wildcards):
    weights = reads("classifiers")(wildcards)["weights"]
    return [local(file) for file in list_weights_files(weights)]


def search_weights_files(wildcards):
    weights = reads("policies")(wildcards)["training"]["weights"]
    return [local(file) for file in list_weights_files(weights)]


def own_file(section):
    def find(wildcards):
        file = merge_section(config, section, wildcards.dataset)["file"]
        return local(file) if file else []

    return find


def list_paths(runs):
    return [run.path for run in runs]


def list_inputs(list_runs, name):
    """Paths of the runs of a table or study; stop at what the configuration lacks for it."""
    try:
        return list_paths(list_runs(config, name))
    except ValueError as error:
        check([str(error)])


# Resources of fine-tuning.
def processes(wildcards):
    """Number of processes; each has a GPU and a CPU core."""
    return merge_section(config, "unet", wildcards.dataset)["processes"]


def unet_setting(key):
    """A key of fine-tuning that changes no result; resources make nothing stale."""

    def find(wildcards):
        value = merge_section(config, "unet", wildcards.dataset)[key]
        return int(value) if isinstance(value, bool) else value

    return find


def unet_watch(wildcards):
    """What to measure and draw while fine-tuning runs, which changes no result, as JSON."""
    section = merge_section(config, "unet", wildcards.dataset)
    figures = merge_section(config, "figures", wildcards.dataset)
    keys = ("validation", "sample_every", "tracker")
    return json.dumps(
        {key: section[key] for key in keys} | {"samples": figures["samples"]}
    )


def unet_memory(wildcards, attempt):
    """Memory in MB: of a checkpoint, and of each process."""
    return (16_000 + 16_000 * processes(wildcards)) * attempt


# Resources of a classifier.
def training_minutes(wildcards, attempt):
    """Minutes that a classifier's operations take, at least 480."""
    run = reads("classifiers")(wildcards)
    return limit_training(config, wildcards.dataset, run) * attempt
