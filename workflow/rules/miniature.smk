# The miniature foundation models, from the first 50,000 training images to three folders. They are
# shipped in resources/miniature; nothing here runs unless the target `miniature` is requested.
from snakemake.common.configfile import load_configfile

MINIATURE = load_configfile(ROOT / "config" / "miniature.yaml")
check_schema(MINIATURE, "miniature.schema.yaml")
SHARED = {
    "seed": MINIATURE["seed"],
    "foundation": {
        key: MINIATURE["corpus"][key] for key in ("images", "holdout", "resolution")
    },
}


rule miniature_corpus:
    output:
        pixels="results/miniature/corpus/images.safetensors",
        captions="results/miniature/corpus/captions.parquet",
    log:
        "logs/miniature/corpus.log",
    benchmark:
        "results/benchmarks/miniature/corpus.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4_000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        cfg={"seed": MINIATURE["seed"], **MINIATURE["corpus"]},
        code=code("miniature_corpus.py"),
    script:
        "../scripts/miniature_corpus.py"


rule miniature_vae:
    input:
        pixels=rules.miniature_corpus.output.pixels,
        captions=rules.miniature_corpus.output.captions,
    output:
        config="results/miniature/models/stable-diffusion/vae/config.json",
        weights="results/miniature/models/stable-diffusion/vae/diffusion_pytorch_model.safetensors",
    log:
        "logs/miniature/vae.log",
    benchmark:
        "results/benchmarks/miniature/vae.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4_000 * attempt,
        runtime=lambda wildcards, attempt: 360 * attempt,
    params:
        cfg={**SHARED, **MINIATURE["vae"]},
        code=code("miniature_vae.py"),
    script:
        "../scripts/miniature_vae.py"


rule miniature_clip:
    input:
        pixels=rules.miniature_corpus.output.pixels,
        captions=rules.miniature_corpus.output.captions,
    output:
        config="results/miniature/models/clip/open_clip_config.json",
        weights="results/miniature/models/clip/open_clip_model.safetensors",
        merges="results/miniature/models/clip/bpe.txt.gz",
    log:
        "logs/miniature/clip.log",
    benchmark:
        "results/benchmarks/miniature/clip.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4_000 * attempt,
        runtime=lambda wildcards, attempt: 360 * attempt,
    params:
        cfg={**SHARED, **MINIATURE["clip"]},
        code=code("miniature_clip.py"),
    script:
        "../scripts/miniature_clip.py"


rule miniature_captioner:
    input:
        pixels=rules.miniature_corpus.output.pixels,
        captions=rules.miniature_corpus.output.captions,
    output:
        config="results/miniature/models/blip2/config.json",
        weights="results/miniature/models/blip2/model.safetensors",
        generation="results/miniature/models/blip2/generation_config.json",
        processor="results/miniature/models/blip2/processor_config.json",
        tokenizer="results/miniature/models/blip2/tokenizer.json",
        tokenizer_config="results/miniature/models/blip2/tokenizer_config.json",
    log:
        "logs/miniature/captioner.log",
    benchmark:
        "results/benchmarks/miniature/captioner.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4_000 * attempt,
        runtime=lambda wildcards, attempt: 360 * attempt,
    params:
        cfg={**SHARED, **MINIATURE["captioner"]},
        code=code("miniature_captioner.py"),
    script:
        "../scripts/miniature_captioner.py"


rule miniature_text:
    input:
        pixels=rules.miniature_corpus.output.pixels,
        captions=rules.miniature_corpus.output.captions,
        clip=rules.miniature_clip.output.weights,
        merges=rules.miniature_clip.output.merges,
    output:
        "results/miniature/corpus/text.safetensors",
    log:
        "logs/miniature/text.log",
    benchmark:
        "results/benchmarks/miniature/text.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        cfg=SHARED,
        code=code("miniature_text.py"),
    script:
        "../scripts/miniature_text.py"


rule miniature_unet:
    input:
        pixels=rules.miniature_corpus.output.pixels,
        captions=rules.miniature_corpus.output.captions,
        text=rules.miniature_text.output[0],
        vae=rules.miniature_vae.output.weights,
    output:
        config="results/miniature/models/stable-diffusion/unet/config.json",
        weights="results/miniature/models/stable-diffusion/unet/diffusion_pytorch_model.safetensors",
        scheduler="results/miniature/models/stable-diffusion/scheduler/scheduler_config.json",
        index="results/miniature/models/stable-diffusion/model_index.json",
    log:
        "logs/miniature/unet.log",
    benchmark:
        "results/benchmarks/miniature/unet.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        cfg={**SHARED, **MINIATURE["unet"]},
        code=code("miniature_unet.py"),
    script:
        "../scripts/miniature_unet.py"


rule miniature_quality:
    input:
        pixels=rules.miniature_corpus.output.pixels,
        captions=rules.miniature_corpus.output.captions,
        vae=rules.miniature_vae.output.weights,
        clip=rules.miniature_clip.output.weights,
        blip2=rules.miniature_captioner.output.weights,
        unet=rules.miniature_unet.output.weights,
    output:
        report="results/miniature/quality.json",
        corpus="results/miniature/pictures/corpus.png",
        real_vae="results/miniature/pictures/real_vae.png",
        samples="results/miniature/pictures/samples.png",
    log:
        "logs/miniature/quality.log",
    benchmark:
        "results/benchmarks/miniature/quality.tsv"
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4_000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        cfg={**SHARED, **MINIATURE["quality"], "path": MINIATURE["corpus"]["path"]},
        code=code("miniature_quality.py"),
    script:
        "../scripts/miniature_quality.py"


rule miniature_cards:
    input:
        report=rules.miniature_quality.output.report,
    output:
        blip2="results/miniature/models/blip2/README.md",
        clip="results/miniature/models/clip/README.md",
        diffusion="results/miniature/models/stable-diffusion/README.md",
    log:
        "logs/miniature/cards.log",
    benchmark:
        "results/benchmarks/miniature/cards.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=MINIATURE,
        code=code("miniature_cards.py"),
    script:
        "../scripts/miniature_cards.py"


rule miniature:
    input:
        rules.miniature_vae.output,
        rules.miniature_clip.output,
        rules.miniature_captioner.output,
        rules.miniature_unet.output,
        rules.miniature_cards.output,
    localrule: True
