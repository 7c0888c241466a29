rule unet:
    input:
        images=rules.images.output.train,
        validation=rules.images.output.validation,
        held_out=rules.images.output.held_out,
        embeddings=rules.embeddings.output[0],
        bank=lambda wildcards: plan.find_training_bank(config, wildcards.dataset) or [],
        models=model_files("unet", "vae", "scheduler"),
    output:
        config="results/{dataset}/unet/config.json",
        weights="results/{dataset}/unet/diffusion_pytorch_model.safetensors",
        losses="results/{dataset}/unet/loss.csv",
    log:
        "logs/{dataset}/unet.log",
    benchmark:
        "results/benchmarks/{dataset}/unet.tsv"
    priority: 1
    conda:
        "../../envs/mvc.yaml"
    threads: processes
    resources:
        mem_mb=unet_memory,
        runtime=lambda wildcards, attempt: 720 * attempt,
        gpu=processes,
        micro_batch=unet_setting("micro_batch"),
        checkpointing=unet_setting("checkpointing"),
        ema_device=unet_setting("ema_device"),
        watch=unet_watch,
    params:
        cfg=reads("unet"),
        code=code("unet.py"),
    script:
        "../scripts/unet.py"


rule unet_report:
    input:
        images=rules.images.output.train,
        embeddings=rules.embeddings.output[0],
        bank=rules.banks.output[0],
        unet=rules.unet.output.config,
        weights=rules.unet.output.weights,
        losses=rules.unet.output.losses,
        models=model_files("vae", "scheduler"),
    output:
        curve=report(
            "results/{dataset}/unet/loss.png",
            caption="../report/loss.rst",
            category="Generator",
            labels={"data set": "{dataset}", "picture": "loss"},
        ),
        samples=report(
            "results/{dataset}/unet/samples.png",
            caption="../report/samples.rst",
            category="Generator",
            labels={"data set": "{dataset}", "picture": "samples"},
        ),
        report="results/{dataset}/unet/report.json",
    log:
        "logs/{dataset}/unet_report.log",
    benchmark:
        "results/benchmarks/{dataset}/unet_report.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 24_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=reads("unet_report"),
        code=code("unet_report.py"),
    script:
        "../scripts/unet_report.py"


rule unet_card:
    input:
        images=rules.images.output.train,
        unet=rules.unet.output.config,
        losses=rules.unet.output.losses,
    output:
        "results/{dataset}/unet/README.md",
    log:
        "logs/{dataset}/unet_card.log",
    benchmark:
        "results/benchmarks/{dataset}/unet_card.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("unet_card"),
        code=code("unet_card.py"),
    script:
        "../scripts/unet_card.py"
