"""Model card of a fine-tuned U-Net: the README.md of its folder."""

import json
from collections.abc import Mapping
from pathlib import Path

from mvc.models.licences import find_licence

FRONT = """\
---
library_name: diffusers
pipeline_tag: image-to-image
license: {licence}
base_model: {base}
tags:
- stable-diffusion
- instruct-pix2pix
---
"""
TEXT = """\
# U-Net of {dataset}

The U-Net of `{base}`, fine-tuned by Mixing Visual Concepts (MVC) on {images:,} training images of
{classes:,} classes: it draws an image of a class from another one and a text. It takes the noisy
latent and, beside it, the latent of the conditioning image (the mode of the VAE's posterior, not
multiplied by its scaling factor), as InstructPix2Pix does.

| training | |
|---|---|
| weights trained | {trained} |
| steps | {steps:,} of {batch_size} image pairs{stop} |
| optimiser | {optimizer}, learning rate {learning_rate} ({schedule}) |
| loss | {loss:.4f} in the mean of the last {mean_of} steps |
| saved | exponential moving average of the weights, decay {ema_decay} |
| resolution | {resolution} pixels |
| second image of a pair | {pairing} |
| text of a pair | {text} |
| dropped | text alone {dropout[text]}, image alone {dropout[image]}, both {dropout[both]} |
| mirrored at random | {flip} |

## Open it
```python
from diffusers import StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel

unet = UNet2DConditionModel.from_pretrained("{folder}")
pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
    "{base}", unet=unet{missing}
)
picture = pipeline({prompt}, image=photograph, image_guidance_scale=1.0).images[0]
```
`photograph` is a PIL image of {resolution} x {resolution} pixels. `image_guidance_scale=1.0` is
the project's own guidance (`synthetic.guidance: text`); other values are those of `ip2p`.
{embeddings}The project samples with DPM-Solver++, the pipeline with the scheduler of `{base}`
unless you set another.

## Limits
It was trained to vary images of its own classes; anything else is as `{base}` draws it, or
worse. It may repeat training images: `quality.csv` counts near copies of the images that were made.

## Licence
The weights derive from `{base}`{named}, whose terms hold for them, too, as far as they say so (use
restrictions of Stable Diffusion's licences pass on). They may carry over what the training images
show, which stay under the terms of their source. The project adds no terms of its own. Check both
before you pass this folder on.
"""
TRAINED = {
    "full": "all",
    "norms": "normalisations, biases, first and last convolution",
    "lora": "low-rank adapters of attention (rank {rank}), merged, and the first convolution",
}
PAIRINGS = {"class": "another image of the class", "own": "the same image"}
TEXTS = {"bank": "a mixed embedding of the class", "caption": "the caption of the image"}
ENCODED = (
    "The base has no text encoder of its own: give the states of `models.clip` (`{clip}`) as "
    "`prompt_embeds` and `negative_prompt_embeds`, (1, 77, {width}), as the data set's "
    "`embeddings.safetensors` has them (`tokens`, `null`).\n"
)


def format_card(
    settings: Mapping,
    config: Mapping,
    losses: list[float],
    *,
    dataset: str,
    folder: str,
    images: int,
    classes: int,
) -> str:
    """Format the card.

    Args:
        settings: the section `unet`, and the models `clip` and `diffusion`.
        config: the U-Net's own, `config.json`.
        losses: of each step.
        folder: of the U-Net.
        images, classes: numbers of training images and their classes.
    """
    base = settings["diffusion"]
    licence = find_licence(base)
    own_text = has_text_encoder(base)
    last = losses[-100:]
    stop = (config.get("early_stop") or {}).get("step")
    return FRONT.format(licence=licence or "other", base=base) + TEXT.format(
        **{key: settings[key] for key in ("batch_size", "optimizer", "learning_rate", "schedule")},
        **{key: settings[key] for key in ("ema_decay", "resolution", "dropout")},
        dataset=dataset,
        base=base,
        folder=folder,
        images=images,
        classes=classes,
        trained=TRAINED[settings["train"]].format(rank=settings["rank"]),
        steps=len(losses),
        stop=f"; the weights are those after step {stop:,}, by validation loss" if stop else "",
        loss=sum(last) / len(last),
        mean_of=len(last),
        pairing=PAIRINGS[settings["pairing"]],
        text=TEXTS[settings["text"]],
        flip="yes" if settings["flip"] else "no",
        missing="" if own_text else ", text_encoder=None, tokenizer=None",
        prompt='"…"' if own_text else "prompt_embeds=text, negative_prompt_embeds=empty",
        embeddings=""
        if own_text
        else ENCODED.format(clip=settings["clip"], width=config["cross_attention_dim"]),
        named=f" (`{licence}`)" if licence else ", whose licence is not known to the project",
    )


def has_text_encoder(base: str) -> bool:
    """Whether a Stable Diffusion has a text encoder of its own, as those on the hub have."""
    index = Path(base) / "model_index.json"
    if not Path(base).is_dir():
        return True
    named = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
    return (named.get("text_encoder") or [None])[0] is not None
