rule banks:
    input:
        captions=rules.captions.output[0],
        embeddings=rules.embeddings.output[0],
    output:
        "results/{dataset}/bank.parquet",
    log:
        "logs/{dataset}/banks.log",
    benchmark:
        "results/benchmarks/{dataset}/banks.tsv"
    priority: 1
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=8_000,
    params:
        cfg=settings("banks"),
        code=code("banks.py"),
    script:
        "../scripts/banks.py"
