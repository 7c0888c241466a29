rule policies:
    input:
        train=rules.images.output.train,
        own=own_file("policies"),
        decoded=lambda wildcards: list_search_pixels(config, wildcards.dataset),
        weights=search_weights_files,
    output:
        faa="results/{dataset}/policies/faa.json",
        random="results/{dataset}/policies/random.json",
    log:
        "logs/{dataset}/policies.log",
    benchmark:
        "results/benchmarks/{dataset}/policies.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 16_000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
        gpu=1,
    params:
        cfg=reads("policies"),
        code=code("policies.py"),
    script:
        "../scripts/policies.py"
