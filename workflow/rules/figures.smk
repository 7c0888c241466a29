rule figure1:
    input:
        real="results/{dataset}/images/train.parquet".format(dataset=SHOWN),
        pretrained=shards(SHOWN, "pretrained"),
        finetuned=shards(SHOWN, "finetuned"),
    output:
        "results/figures/figure1.png",
    log:
        "logs/figures/figure1.log",
    benchmark:
        "results/benchmarks/figures/figure1.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg={key: config["figures"][key] for key in ("classes", "images", "cell")},
        code=code("figure1.py"),
    script:
        "../scripts/figure1.py"


rule figure2:
    input:
        images="results/{dataset}/images/train.parquet".format(dataset=SHOWN),
        embeddings="results/{dataset}/embeddings.safetensors".format(dataset=SHOWN),
        unet="results/{dataset}/unet/diffusion_pytorch_model.safetensors".format(
            dataset=SHOWN
        ),
        models=model_files("diffusion"),
    output:
        "results/figures/figure2.png",
    log:
        "logs/figures/figure2.log",
    benchmark:
        "results/benchmarks/figures/figure2.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=16_000,
        gpu=1,
    params:
        cfg=figure2_settings(),
        code=code("figure2.py"),
    script:
        "../scripts/figure2.py"
