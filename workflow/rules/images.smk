rule images:
    output:
        train="results/{dataset}/images/train.parquet",
        validation="results/{dataset}/images/validation.parquet",
        extra="results/{dataset}/images/extra.parquet",
        test="results/{dataset}/images/test.parquet",
        oracle="results/{dataset}/images/oracle.parquet",
        held_out="results/{dataset}/images/held_out.parquet",
        report="results/{dataset}/images/report.json",
    log:
        "logs/{dataset}/images.log",
    benchmark:
        "results/benchmarks/{dataset}/images.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        cfg=reads("images"),
        code=code("images.py"),
    script:
        "../scripts/images.py"


rule pixels:
    input:
        "results/{dataset}/images/{split}.parquet",
    output:
        "results/{dataset}/pixels/{size}/{split}.safetensors",
    log:
        "logs/{dataset}/pixels/{size}/{split}.log",
    benchmark:
        "results/benchmarks/{dataset}/pixels/{size}/{split}.tsv"
    wildcard_constraints:
        size=r"\d+",
        split="train|validation|test",
    conda:
        "../../envs/mvc.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 16_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        code=code("pixels.py"),
    script:
        "../scripts/pixels.py"
