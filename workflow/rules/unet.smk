rule unet:
    input:
        images=rules.images.output.train,
        held_out=rules.images.output.held_out,
        embeddings=rules.embeddings.output[0],
        bank=rules.banks.output[0],
        models=model_files("diffusion"),
    output:
        config="results/{dataset}/unet/config.json",
        weights="results/{dataset}/unet/diffusion_pytorch_model.safetensors",
        losses="results/{dataset}/unet/loss.csv",
        curve="results/{dataset}/unet/loss.png",
        samples="results/{dataset}/unet/samples.png",
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
    params:
        cfg=reads("unet"),
        code=code("unet.py"),
    script:
        "../scripts/unet.py"
