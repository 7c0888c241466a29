"""Model cards: what each miniature model is, what it was trained on, and its quality."""

from collections.abc import Callable, Mapping

HEAD = """---
license: apache-2.0
tags: [miniature, fashion-mnist]
---
# {title}

{purpose}

## Data
The first {images:,} training images of Fashion-MNIST (Zalando, MIT licence), enlarged to
{size} x {size} pixels and rendered {renders} times each in another style than the target data
set's: coloured garments on plain, striped, dotted, gradient, checkered or grainy grounds
({coloured:.0%}), black and white photographs on white or grey ({photo:.0%}), and plain greyscale
({plain:.0%}{plain_note}).
Captions are templates: class synonym, colour, ground, and attributes measured from the image. The
last {holdout:,} of these garments were never trained on. The target's images, the last 10,000
training images, are not among them; the official test set was used for measuring only.
"""
TAIL = """
## Rebuild
`snakemake --cores 2 miniature` rebuilds it in `results/miniature/models` (half a day on two
CPU cores); settings: `config/miniature.yaml`, seed {seed}. Weights are stored in half precision:
open them in float32 on a CPU.

## Limits
It knows ten kinds of garments, at {size} x {size} pixels, and nothing else. It plays the part of a
web-scale model where those cannot run; it is of no use beyond that.

## Licence
Apache-2.0. Fashion-MNIST is by Zalando SE under the MIT licence.
"""


def format_captioner_card(cfg: Mapping, measured: Mapping) -> str:
    """Format the card of the BLIP-2."""
    section, seen = cfg["captioner"], measured["captioner"]
    vision, qformer, text = (section[part] for part in ("vision", "qformer", "text"))
    return _format_card(
        cfg,
        title="Miniature BLIP-2",
        purpose="A `Blip2ForConditionalGeneration` with its processor: it captions garments.",
        plain_note=f"; {section['plain']:.0%} of the pictures drawn in training",
        settings=[
            f"vision transformer {vision['hidden_size']} x "
            f"{vision['num_hidden_layers']}, patches of {vision['patch_size']}",
            f"Q-Former {qformer['hidden_size']} x {qformer['num_hidden_layers']}, "
            f"{section['queries']} queries; OPT {text['hidden_size']} x "
            f"{text['num_hidden_layers']}; byte-level BPE learnt from the captions",
            f"next-token loss, plus {section['class_loss']} x the class loss of a linear head on "
            "the pooled vision output, which stands for the vision tower's own pre-training",
            _format_training(section),
        ],
        quality=[
            f"{seen['images']:,} official test images, plain greyscale, beam search: "
            f"the caption names the right class in {seen['names_class']} %, the right group "
            f"(tops, trousers, dresses, footwear, bags) in {seen['names_group']} %",
            f"{seen['distinct']:,} distinct captions among them",
        ],
    )


def format_clip_card(cfg: Mapping, measured: Mapping) -> str:
    """Format the card of the CLIP."""
    section, seen = cfg["clip"], measured["clip"]
    vision, text = section["vision"], section["text"]
    return _format_card(
        cfg,
        title="Miniature CLIP",
        purpose=(
            "An open_clip model (`local-dir:`): image and text towers, and the text encoder of the "
            "miniature Stable Diffusion. `bpe.txt.gz` is its vocabulary, learnt from the captions: "
            "`SimpleTokenizer(bpe_path=...)`. Padding is the end token, as Stable Diffusion's."
        ),
        plain_note="",
        settings=[
            f"vision transformer {vision['width']} x {vision['layers']}, patches of "
            f"{vision['patch_size']}; text transformer {text['width']} x "
            f"{text['layers']}, 77 tokens; joint space {section['joint']}",
            f"{section['plain']:.0%} of the batches plain pictures only, {section['photo']:.0%} "
            "photographs only, the rest mixed; equal captions in a batch count as equally right",
            _format_training(section),
        ],
        quality=[
            f"500 held-out pictures of all styles: recall@1 {seen['recall_at_1']} %, recall@5 "
            f"{seen['recall_at_5']} %",
            f"zero-shot class of held-out plain pictures {seen['zero_shot_class']} %, of the "
            f"official test images {seen['zero_shot_class_target']} %",
        ],
    )


def format_diffusion_card(cfg: Mapping, measured: Mapping) -> str:
    """Format the card of the Stable Diffusion: autoencoder and U-Net."""
    vae, unet, seen = cfg["vae"], cfg["unet"], measured["vae"]
    return _format_card(
        cfg,
        title="Miniature Stable Diffusion",
        purpose=(
            "`vae/` (`AutoencoderKL`), `unet/` (`UNet2DConditionModel`) and `scheduler/`; the text "
            "encoder is the CLIP beside it, so a pipeline needs `text_encoder=None, "
            "tokenizer=None` and prompt embeddings."
        ),
        plain_note=", kept from the U-Net, so that a domain gap is left for fine-tuning to close",
        settings=[
            f"autoencoder: widths {vae['widths']}, {vae['latent_channels']} latent channels "
            f"(Stable Diffusion has 4) at 8 x 8; squared + 0.5 x absolute error + {vae['kl']} x "
            f"divergence, means over elements; {vae['plain']:.0%} plain greyscale pictures",
            f"its {_format_training(vae)}",
            f"U-Net: widths {unet['widths']}, text read at {unet['attention']} and in the middle; "
            "Stable Diffusion's noise schedule, noise prediction, loss weights min(SNR, 5) / SNR, "
            f"{unet['dropout']:.0%} of the captions dropped",
            f"its {_format_training(unet)}",
        ],
        quality=[
            f"official test images, plain greyscale, reconstructed: {seen['target']} dB PSNR",
            "of held-out pictures: "
            + ", ".join(f"{k} {v} dB" for k, v in seen.items() if k != "target"),
            f"{cfg['quality']['samples']} pictures drawn of held-out captions: Fréchet distance "
            f"from the corpus's own pictures {measured['unet']['frechet']}, in CLIP's features",
            "samples: docs/images/miniature_samples.png",
        ],
    )


CARDS: dict[str, Callable[[Mapping, Mapping], str]] = {
    "blip2": format_captioner_card,
    "clip": format_clip_card,
    "diffusion": format_diffusion_card,
}


def _format_training(section: Mapping) -> str:
    training = section["training"]
    return (
        f"training: {training['steps']:,} steps of {training['batch_size']} pictures, AdamW, "
        f"learning rate {training['learning_rate']} "
        f"with {training['warmup_steps']} steps of warm-up and a cosine, "
        f"weights averaged ({training['ema_decay']})"
    )


def _format_card(cfg, *, title, purpose, plain_note, settings, quality) -> str:
    corpus = cfg["corpus"]
    known = {**corpus["shares"], **{k: corpus[k] for k in ("images", "renders", "holdout")}}
    known["size"] = corpus["resolution"]
    head = HEAD.format(title=title, purpose=purpose, plain_note=plain_note, **known)
    lists = {"Settings": settings, "Quality": quality}
    body = "".join(
        f"\n## {name}\n" + "".join(f"- {line}\n" for line in lines) for name, lines in lists.items()
    )
    return head + body + TAIL.format(seed=cfg["seed"], size=corpus["resolution"])
