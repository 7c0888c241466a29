rule captions:
    input:
        images=rules.images.output.train,
        held_out=rules.images.output.held_out,
        own=own_file("captions"),
        models=model_files("captioner"),
    output:
        "results/{dataset}/captions.parquet",
    log:
        "logs/{dataset}/captions.log",
    benchmark:
        "results/benchmarks/{dataset}/captions.tsv"
    priority: 1
    group:
        "text"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 16_000 * attempt,
        runtime=lambda wildcards, attempt: 360 * attempt,
        gpu=1,
    params:
        cfg=reads("captions"),
        code=code("captions.py"),
    script:
        "../scripts/captions.py"
