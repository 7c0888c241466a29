def classifier_settings(wildcards):
    """Settings of one run: its arm's and model's own values, and nothing that it does not read."""
    section = merged("classifiers", wildcards.dataset)
    models, arms, _ = (section.pop(key) for key in ("models", "arms", "seeds"))
    run = {**section, **models[wildcards.model], **arms[wildcards.arm]}
    strategy = run["strategy"] if run["extra"] else None
    unread = {
        "ra": run["augmentation"] != "ra",
        "fill": run["augmentation"] == "default",
        "strategy": not strategy,
        "phase2": strategy != "two_phase",
        "rsp": strategy != "rsp",
    }
    return {key: value for key, value in run.items() if not unread.get(key)}


def evaluation_split(wildcards):
    """The split that accuracy is measured on."""
    split = merged("classifiers", wildcards.dataset)["split"]
    return f"results/{wildcards.dataset}/images/{split}.parquet"


def extra_images(wildcards):
    """The shards that an arm adds to the real images; none for an arm of real images alone."""
    arm = merged("classifiers", wildcards.dataset)["arms"][wildcards.arm]
    return shards(wildcards.dataset, arm["extra"]) if arm["extra"] else []


rule classifiers:
    input:
        train=rules.images.output.train,
        extra=extra_images,
        evaluation=evaluation_split,
    output:
        "results/{dataset}/classifiers/{model}/{arm}/{seed}.json",
    log:
        "logs/{dataset}/classifiers/{model}/{arm}/{seed}.log",
    benchmark:
        "results/benchmarks/{dataset}/classifiers/{model}/{arm}/{seed}.tsv"
    wildcard_constraints:
        model=r"[\w.-]+",
        arm=r"[\w.+-]+",
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=2_000,
        gpu=1,
    params:
        cfg=classifier_settings,
        code=code("classifiers.py"),
    script:
        "../scripts/classifiers.py"
