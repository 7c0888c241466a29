rule figure1:
    input:
        real="results/{dataset}/images/train.parquet".format(dataset=SHOWN["figure1"]),
        pretrained=plan.list_shards(config, SHOWN["figure1"], "pretrained"),
        finetuned=plan.list_shards(config, SHOWN["figure1"], "finetuned"),
    output:
        report(
            "results/<name>figures/figure1.png",
            caption="../report/figure1.rst",
            category="Figures",
            labels={"figure": "1"},
        ),
    log:
        "logs/<name>figures/figure1.log",
    benchmark:
        "results/benchmarks/<name>figures/figure1.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("figure1"),
        code=code("figure1.py"),
    script:
        "../scripts/figure1.py"


rule figure2:
    input:
        images="results/{dataset}/images/train.parquet".format(dataset=SHOWN["figure2"]),
        embeddings="results/{dataset}/embeddings.safetensors".format(
            dataset=SHOWN["figure2"]
        ),
        config="results/{dataset}/unet/config.json".format(dataset=SHOWN["figure2"]),
        unet="results/{dataset}/unet/diffusion_pytorch_model.safetensors".format(
            dataset=SHOWN["figure2"]
        ),
        models=model_files("vae", "scheduler"),
    output:
        picture=report(
            "results/<name>figures/figure2.png",
            caption="../report/figure2.rst",
            category="Figures",
            labels={"figure": "2"},
        ),
        changes="results/<name>figures/figure2.csv",
    log:
        "logs/<name>figures/figure2.log",
    benchmark:
        "results/benchmarks/<name>figures/figure2.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 24_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=reads("figure2"),
        code=code("figure2.py"),
    script:
        "../scripts/figure2.py"


rule figure5:
    input:
        real="results/{dataset}/images/train.parquet".format(dataset=SHOWN["figure5"]),
        pretrained=plan.list_shards(config, SHOWN["figure5"], "pretrained"),
        finetuned=plan.list_shards(config, SHOWN["figure5"], "finetuned"),
    output:
        report(
            "results/<name>figures/figure5.png",
            caption="../report/figure5.rst",
            category="Figures",
            labels={"figure": "5"},
        ),
    log:
        "logs/<name>figures/figure5.log",
    benchmark:
        "results/benchmarks/<name>figures/figure5.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("figure5"),
        code=code("figure5.py"),
    script:
        "../scripts/figure5.py"


rule figure6:
    input:
        images="results/{dataset}/images/train.parquet".format(dataset=SHOWN["figure6"]),
        embeddings="results/{dataset}/embeddings.safetensors".format(
            dataset=SHOWN["figure6"]
        ),
        bank="results/{dataset}/bank.parquet".format(dataset=SHOWN["figure6"]),
        config="results/{dataset}/unet/config.json".format(dataset=SHOWN["figure6"]),
        unet="results/{dataset}/unet/diffusion_pytorch_model.safetensors".format(
            dataset=SHOWN["figure6"]
        ),
        models=model_files("unet", "vae", "scheduler"),
    output:
        picture=report(
            "results/<name>figures/figure6.png",
            caption="../report/figure6.rst",
            category="Figures",
            labels={"figure": "6"},
        ),
        recipes="results/<name>figures/figure6.csv",
    log:
        "logs/<name>figures/figure6.log",
    benchmark:
        "results/benchmarks/<name>figures/figure6.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 24_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=reads("figure6"),
        code=code("figure6.py"),
    script:
        "../scripts/figure6.py"


rule confusion:
    input:
        lambda wildcards: list_paths(
            plan.list_seeds(config, wildcards.dataset, wildcards.model, wildcards.arm)
        ),
    output:
        report(
            "results/{dataset}/classifiers/{model}/{arm}/confusion.png",
            caption="../report/confusion.rst",
            category="Mistakes",
            labels={"data set": "{dataset}", "classifier": "{model}", "arm": "{arm}"},
        ),
    log:
        "logs/{dataset}/classifiers/{model}/{arm}/confusion.log",
    benchmark:
        "results/benchmarks/{dataset}/classifiers/{model}/{arm}/confusion.tsv"
    wildcard_constraints:
        model=r"[\w.-]+",
        arm=r"[\w.+-]+",
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        code=code("confusion.py"),
    script:
        "../scripts/confusion.py"
