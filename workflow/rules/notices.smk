rule notices:
    input:
        images=rules.images.output.train,
        captions=rules.captions.output[0],
        embeddings=rules.embeddings.output[0],
        tuning=lambda wildcards: plan.list_tuning(config, wildcards.dataset),
        synthetic=lambda wildcards: plan.list_synthetic_images(
            config, wildcards.dataset
        ),
    output:
        "results/{dataset}/notices.json",
    log:
        "logs/{dataset}/notices.log",
    benchmark:
        "results/benchmarks/{dataset}/notices.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        code=code("notices.py"),
    script:
        "../scripts/notices.py"
