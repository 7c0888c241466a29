rule classifiers:
    input:
        train=rules.images.output.train,
        extra=lambda wildcards: plan.list_extra_images(
            config, wildcards.dataset, wildcards.arm
        ),
        evaluation=lambda wildcards: plan.find_evaluation_images(
            config, wildcards.dataset
        ),
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
    params:
        cfg=reads("classifiers"),
        code=code("classifiers.py"),
    script:
        "../scripts/classifiers.py"
