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
        cfg=reads("pixels"),
        code=code("pixels.py"),
    script:
        "../scripts/pixels.py"
