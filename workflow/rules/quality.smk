rule oracle:
    input:
        oracle=rules.images.output.oracle,
        train=rules.images.output.train,
    output:
        "results/{dataset}/quality/oracle.safetensors",
    log:
        "logs/{dataset}/quality/oracle.log",
    benchmark:
        "results/benchmarks/{dataset}/quality/oracle.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=reads("oracle"),
        code=code("oracle.py"),
    script:
        "../scripts/oracle.py"


rule quality:
    input:
        oracle=rules.oracle.output[0],
        train=rules.images.output.train,
        validation=rules.images.output.validation,
        extra=rules.images.output.extra,
        synthetic=lambda wildcards: plan.list_shards(
            config, wildcards.dataset, wildcards.generator
        ),
        clip=model_files("clip"),
    output:
        "results/{dataset}/quality/{generator}.json",
    log:
        "logs/{dataset}/quality/{generator}.log",
    benchmark:
        "results/benchmarks/{dataset}/quality/{generator}.tsv"
    wildcard_constraints:
        generator="finetuned|pretrained|real|real_vae",
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 16_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=reads("quality"),
        code=code("quality.py"),
    script:
        "../scripts/quality.py"


rule quality_table:
    input:
        expand(
            "results/{dataset}/quality/{generator}.json",
            dataset=config["datasets"],
            generator=["finetuned", "pretrained"],
        ),
    output:
        csv=report(
            "results/<name>tables/quality.csv",
            caption="../report/quality.rst",
            category="Quality",
        ),
        md="results/<name>tables/quality.md",
    log:
        "logs/<name>tables/quality.log",
    benchmark:
        "results/benchmarks/<name>tables/quality.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        code=code("quality_table.py"),
    script:
        "../scripts/quality_table.py"
