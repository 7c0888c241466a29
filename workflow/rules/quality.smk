rule judge:
    input:
        judge=rules.images.output.judge,
        train=rules.images.output.train,
    output:
        "results/{dataset}/quality/judge.safetensors",
    log:
        "logs/{dataset}/quality/judge.log",
    benchmark:
        "results/benchmarks/{dataset}/quality/judge.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=settings("judge"),
        code=code("judge.py"),
    script:
        "../scripts/judge.py"


rule quality:
    input:
        judge=rules.judge.output[0],
        train=rules.images.output.train,
        validation=rules.images.output.validation,
        extra=rules.images.output.extra,
        synthetic=lambda wildcards: shards(wildcards.dataset, wildcards.generator),
        clip=model_files("clip"),
    output:
        "results/{dataset}/quality/{generator}.json",
    log:
        "logs/{dataset}/quality/{generator}.log",
    benchmark:
        "results/benchmarks/{dataset}/quality/{generator}.tsv"
    wildcard_constraints:
        generator="finetuned|pretrained|real|round_trip",
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 16_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=settings("quality", "clip"),
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
        csv=ensure("results/tables/quality.csv", non_empty=True),
        md=ensure("results/tables/quality.md", non_empty=True),
    log:
        "logs/tables/quality.log",
    benchmark:
        "results/benchmarks/tables/quality.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        code=code("quality_table.py"),
    script:
        "../scripts/quality_table.py"
