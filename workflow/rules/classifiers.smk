rule classifiers:
    input:
        train=rules.images.output.train,
        extra=lambda wildcards: plan.list_extra_images(
            config, wildcards.dataset, wildcards.arm
        ),
        evaluation=lambda wildcards: plan.find_evaluation_images(
            config, wildcards.dataset
        ),
        validation=lambda wildcards: plan.find_validation_images(
            config, wildcards.dataset
        )
        or [],
        policy=lambda wildcards: plan.find_policies(
            config, wildcards.dataset, wildcards.arm
        )
        or [],
        decoded=lambda wildcards: list_run_pixels(
            config, wildcards.dataset, wildcards.model, wildcards.arm
        ),
        weights=weights_files,
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
        # All images are in memory, as files and then as pixels.
        mem_mb=lambda wildcards, input, attempt: int(8_000 + 7 * input.size_mb)
        * attempt,
        runtime=training_minutes,
        gpu=1,
        keep=lambda wildcards: choose_keeping(
            config, wildcards.dataset, wildcards.model, wildcards.arm
        ),
    params:
        cfg=reads("classifiers"),
        code=code("classifiers.py"),
    script:
        "../scripts/classifiers.py"


rule classifier:
    input:
        runs=lambda wildcards: list_paths(list_candidates(config, wildcards.dataset)),
        train=rules.images.output.train,
        evaluation=lambda wildcards: plan.find_evaluation_images(
            config, wildcards.dataset
        ),
    output:
        directory("results/{dataset}/classifier"),
    log:
        "logs/{dataset}/classifier.log",
    benchmark:
        "results/benchmarks/{dataset}/classifier.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 16_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
        keep=lambda wildcards: merge_section(config, "classifiers", wildcards.dataset)[
            "keep"
        ],
    params:
        cfg=reads("classifier"),
        code=code("classifier.py"),
    script:
        "../scripts/classifier.py"
