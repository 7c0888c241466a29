rule synthetic:
    input:
        images=rules.images.output.train,
        held_out=rules.images.output.held_out,
        captions=rules.captions.output[0],
        embeddings=rules.embeddings.output[0],
        bank=rules.banks.output[0],
        unet=rules.unet.output.config,
        weights=[rules.unet.output.weights],
        models=model_files("vae", "scheduler"),
        clip=model_files("clip"),
    output:
        "results/{dataset}/synthetic/finetuned/{shard}-of-{shards}.parquet",
    log:
        "logs/{dataset}/synthetic/finetuned/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/{dataset}/synthetic/finetuned/{shard}-of-{shards}.tsv"
    priority: 1
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 24_000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
        gpu=1,
    params:
        cfg=reads("synthetic"),
        code=code("synthetic.py"),
    script:
        "../scripts/synthetic.py"


use rule synthetic as pretrained with:
    input:
        images=rules.images.output.train,
        held_out=rules.images.output.held_out,
        captions=rules.captions.output[0],
        embeddings=rules.embeddings.output[0],
        bank=rules.banks.output[0],
        models=model_files("vae", "scheduler"),
        base=model_files("unet"),
        clip=model_files("clip"),
    output:
        "results/{dataset}/synthetic/pretrained/{shard}-of-{shards}.parquet",
    log:
        "logs/{dataset}/synthetic/pretrained/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/{dataset}/synthetic/pretrained/{shard}-of-{shards}.tsv"
    priority: 0
    params:
        cfg=reads("pretrained"),
        code=code("synthetic.py"),


use rule synthetic as mixed with:
    input:
        images=rules.images.output.train,
        held_out=rules.images.output.held_out,
        captions=rules.captions.output[0],
        embeddings=rules.embeddings.output[0],
        bank=rules.banks.output[0],
        unet=rules.unet.output.config,
        weights=[rules.unet.output.weights],
        models=model_files("vae", "scheduler"),
        base=model_files("unet"),
        clip=model_files("clip"),
    output:
        "results/{dataset}/synthetic/mixed/{shard}-of-{shards}.parquet",
    log:
        "logs/{dataset}/synthetic/mixed/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/{dataset}/synthetic/mixed/{shard}-of-{shards}.tsv"
    priority: 0
    params:
        cfg=reads("mixed"),
        code=code("synthetic.py"),


rule real:
    input:
        extra=rules.images.output.extra,
        train=rules.images.output.train,
        bank=rules.banks.output[0],
        models=lambda wildcards: (
            [] if wildcards.generator == "real" else model_files("vae")
        ),
    output:
        "results/{dataset}/synthetic/{generator}/{shard}-of-{shards}.parquet",
    log:
        "logs/{dataset}/synthetic/{generator}/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/{dataset}/synthetic/{generator}/{shard}-of-{shards}.tsv"
    wildcard_constraints:
        generator="real|real_vae|train_vae",
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=1,
    params:
        cfg=reads("real"),
        code=code("real.py"),
    script:
        "../scripts/real.py"
