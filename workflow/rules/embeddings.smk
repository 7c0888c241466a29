rule embeddings:
    input:
        captions=rules.captions.output[0],
        models=model_files("clip"),
    output:
        "results/{dataset}/embeddings.safetensors",
    log:
        "logs/{dataset}/embeddings.log",
    benchmark:
        "results/benchmarks/{dataset}/embeddings.tsv"
    priority: 1
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=8_000,
        gpu=1,
    params:
        cfg=settings("embeddings", "clip"),
        code=code("embeddings.py"),
    script:
        "../scripts/embeddings.py"
