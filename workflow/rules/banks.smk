rule banks:
    input:
        images=rules.images.output.train,
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
        mem_mb=lambda wildcards, attempt: 24_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        cfg=reads("banks"),
        code=code("banks.py"),
    script:
        "../scripts/banks.py"


rule bank_tensors:
    input:
        embeddings=rules.embeddings.output[0],
        bank=rules.banks.output[0],
    output:
        "results/{dataset}/bank_tensors/bank.safetensors.index.json",
    log:
        "logs/{dataset}/bank_tensors.log",
    benchmark:
        "results/benchmarks/{dataset}/bank_tensors.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 24_000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        code=code("bank_tensors.py"),
    script:
        "../scripts/bank_tensors.py"
