rule augmented_set:
    input:
        images=rules.images.output.train,
        held_out=rules.images.output.held_out,
        validation=rules.images.output.validation,
        test=rules.images.output.test,
        captions=rules.captions.output[0],
        bank=rules.banks.output[0],
        synthetic=lambda wildcards: plan.list_synthetic_images(
            config, wildcards.dataset
        ),
        oracle=lambda wildcards: find_oracle(config, wildcards.dataset) or [],
    output:
        directory("results/{dataset}/augmented"),
    log:
        "logs/{dataset}/augmented.log",
    benchmark:
        "results/benchmarks/{dataset}/augmented.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        cfg=reads("augmented"),
        code=code("augmented.py"),
    script:
        "../scripts/augmented.py"


rule augmented:
    input:
        expand("results/{dataset}/augmented", dataset=config["datasets"]),
        expand("results/{dataset}/notices.json", dataset=config["datasets"]),
    localrule: True
