rule embeddings:
    input:
        captions=rules.captions.output[0],
        models=model_files("clip", "text"),
    output:
        "results/{dataset}/embeddings.safetensors",
    log:
        "logs/{dataset}/embeddings.log",
    benchmark:
        "results/benchmarks/{dataset}/embeddings.tsv"
    priority: 1
    group:
        "text"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 32_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=reads("embeddings"),
        code=code("embeddings.py"),
    script:
        "../scripts/embeddings.py"
