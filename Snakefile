from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


# In another folder (`--directory`) its own configuration, where it has one, is laid over this one.
OWN = Path("config/config.yaml")
DEFAULTS = Path(str(workflow.current_basedir)) / OWN
ELSEWHERE = not (OWN.exists() and OWN.samefile(DEFAULTS))


configfile: str(DEFAULTS if ELSEWHERE else OWN)


if ELSEWHERE and OWN.exists():

    configfile: str(OWN)


include: "workflow/rules/common.smk"
include: "workflow/rules/models.smk"  # hub                     -> foundation models in its cache
include: "workflow/rules/images.smk"  # raw data set            -> images/*.parquet
include: "workflow/rules/captions.smk"  # images                  -> captions.parquet
include: "workflow/rules/embeddings.smk"  # captions                -> (K, 77, d) tensors
include: "workflow/rules/banks.smk"  # embeddings              -> bank.parquet, mixing recipes
include: "workflow/rules/unet.smk"  # images + bank           -> fine-tuned U-Net
include: "workflow/rules/synthetic.smk"  # U-Net + bank + images   -> synthetic/*/*.parquet
include: "workflow/rules/notices.smk"  # captions ... synthetic -> notices.json
include: "workflow/rules/augmented.smk"  # images + synthetic      -> augmented/, to train on
include: "workflow/rules/policies.smk"  # images                  -> policies/*.json
include: "workflow/rules/classifiers.smk"  # images + synthetic      -> classifiers/*/*/*.json
include: "workflow/rules/tables.smk"  # classifiers             -> tables/table{1..5}.*
include: "workflow/rules/comparisons.smk"  # classifiers             -> {sweep,headroom,evidence}/*
include: "workflow/rules/quality.smk"  # images + synthetic      -> tables/quality.csv
include: "workflow/rules/figures.smk"  # images + synthetic      -> figures/*.png
include: "workflow/rules/report.smk"  # all of these            -> report/index.html, for people
include: "workflow/rules/estimate.smk"  # configuration           -> what it would cost
include: "workflow/rules/rehearsal.smk"  # every stage in small    -> what the whole run would take
include: "workflow/rules/miniature.smk"  # Fashion-MNIST           -> the miniature models


rule all:
    default_target: True
    input:
        plan.list_table_files(config),
        plan.list_report_files(config),
    localrule: True


rule demo:
    input:
        plan.list_demo_files(config),
    localrule: True


onstart:
    check_folders()
    check_overwritten()
    check_runs()
    show_warnings()
    lift_rate_limit()
    leave_failures_to_the_end()
    TICKER.start()
    ALIVE.append(hold_lock())


onsuccess:
    show_notices()
    show_verdicts()
    logger.info(JOBS.summarise_success(list_targets()))


onerror:
    logger.error(JOBS.describe_failures())
    show_notices()
