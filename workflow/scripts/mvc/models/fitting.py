"""Which foundation models fit this pipeline and each other, by their configs alone.

The same rules hold for the JSON files of a local folder, before anything runs, and for a model from
the hub, when it is opened. Standard library only, since the workflow reads them while it is parsed.
Each function returns faults, one line each: the file, the key, its value, what is allowed, the fix.
"""

from collections.abc import Iterator, Mapping

from mvc.models.parts import SCHEDULER, UNET, VAE

BASE = (
    "use a text-to-image model of the layout of Stable Diffusion 1.x or 2.x, such as "
    "stable-diffusion-v1-5/stable-diffusion-v1-5"
)
# What Stable Diffusion's U-Nets take beside the four channels of noisy latents, by how many more.
INPUTS = {
    1: "a depth map (depth2img)",
    3: "a low-resolution image (an upscaler)",
    5: "a mask and a masked image (inpainting)",
}
IMAGE = "an image already, as InstructPix2Pix's does, or one that this pipeline fine-tuned"
# Keys of a U-Net that stand for inputs which this pipeline does not give it.
FOREIGN_INPUTS = {
    "addition_embed_type": "size and pooled-text embeddings, as SDXL does",
    "class_embed_type": "class or noise-level embeddings, as upscalers and unCLIP do",
    "num_class_embeds": "class or noise-level embeddings, as upscalers and unCLIP do",
    "encoder_hid_dim_type": "states of another encoder, as Kandinsky and DeepFloyd IF do",
    "encoder_hid_dim": "states of another encoder, as Kandinsky and DeepFloyd IF do",
    "time_cond_proj_dim": "the guidance scale as an input, as a latent consistency model does",
}
BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
SPACINGS = ("linspace", "leading", "trailing")
PREDICTIONS = ("epsilon", "v_prediction")  # what a U-Net estimates, and fine-tuning trains


def list_unet_faults(unet: Mapping) -> Iterator[str]:
    """List what makes a U-Net other than Stable Diffusion's, which reads latents and text alone."""
    if fault := _check_class(UNET, unet, "UNet2DConditionModel"):
        yield fault
        return
    for key, meaning in FOREIGN_INPUTS.items():
        if unet.get(key) is not None:
            yield f"{UNET}: {key} = {unet[key]!r}; must be null: this U-Net reads {meaning}; {BASE}"
    width = unet.get("cross_attention_dim")
    if not isinstance(width, int):
        yield (
            f"{UNET}: cross_attention_dim = {width!r}; must be one number, the width of CLIP's "
            f"text states; {BASE}"
        )
    inputs, outputs = unet.get("in_channels", 4), unet.get("out_channels", 4)
    if inputs != outputs:
        extra = INPUTS.get(inputs - outputs, "something beside the noisy latents")
        extra = IMAGE if inputs == 2 * outputs else extra
        yield (
            f"{UNET}: in_channels = {inputs}, out_channels = {outputs}; must be equal: this U-Net "
            f"takes {extra}. The pipeline adds the channels of its conditioning image itself; name "
            "the text-to-image model that this one was made from"
        )


def list_vae_faults(vae: Mapping) -> Iterator[str]:
    """List what makes a VAE other than Stable Diffusion's, whose latents are scaled and no more."""
    if fault := _check_class(VAE, vae, "AutoencoderKL"):
        yield fault
        return
    for key in ("in_channels", "out_channels"):
        if vae.get(key, 3) != 3:
            yield f"{VAE}: {key} = {vae[key]}; must be 3, red, green and blue; {BASE}"
    for key in ("shift_factor", "latents_mean", "latents_std"):
        if vae.get(key) is not None:
            yield (
                f"{VAE}: {key} = {vae[key]!r}; must be null: latents are scaled, not shifted, as "
                f"those of Stable Diffusion 3 and Flux are; {BASE}"
            )
    channels = vae.get("latent_channels", 4)
    if not vae.get("scaling_factor") and channels != 4:
        yield (
            f"{VAE}: no scaling_factor; must be there where latent_channels ({channels}) is not 4: "
            "diffusers would take the 0.18215 of Stable Diffusion 1.x. Add 1 / the deviation of "
            "the latents"
        )


def list_scheduler_faults(scheduler: Mapping) -> Iterator[str]:
    """List what the training (`unet.trainer`) and DPM-Solver++ would take otherwise than meant."""
    name = str(scheduler.get("_class_name", ""))
    if name.startswith("FlowMatch"):
        yield f"{SCHEDULER}: {name}; must be one with betas, as DDPMScheduler: {BASE}"
        return
    kind = scheduler.get("prediction_type", "epsilon")
    if kind not in PREDICTIONS:
        yield (
            f"{SCHEDULER}: prediction_type = {kind!r}; must be one of {', '.join(PREDICTIONS)}, "
            f"which is what fine-tuning trains: the U-Net would be read as something else; {BASE}"
        )
    if scheduler.get("rescale_betas_zero_snr"):
        yield (
            f"{SCHEDULER}: rescale_betas_zero_snr = true; must be false: at the last noise level "
            f"nothing is left of the image, which the solver cannot start from; {BASE}"
        )
    if scheduler.get("thresholding"):
        yield f"{SCHEDULER}: thresholding = true; must be false: it is for pixels, not latents"
    betas = scheduler.get("beta_schedule", "linear")
    if betas not in BETA_SCHEDULES and not scheduler.get("trained_betas"):
        yield f"{SCHEDULER}: beta_schedule = {betas!r}; must be one of {', '.join(BETA_SCHEDULES)}"
    spacing = scheduler.get("timestep_spacing", "linspace")
    if spacing not in SPACINGS:
        yield f"{SCHEDULER}: timestep_spacing = {spacing!r}; must be one of {', '.join(SPACINGS)}"


def list_pair_faults(unet: Mapping, vae: Mapping) -> Iterator[str]:
    """List how a U-Net does not fit a VAE."""
    channels, latent = unet.get("out_channels", 4), vae.get("latent_channels", 4)
    if channels != latent:
        yield (
            f"{UNET}: out_channels = {channels}, {VAE}: latent_channels = {latent}; must be equal: "
            "the two parts are of different models. Download the whole model again"
        )


def list_size_faults(unet: Mapping, vae: Mapping, resolution: int) -> Iterator[str]:
    """List why images of this resolution are too small for U-Net and VAE, or no whole latents."""
    pixels, halvings = count_halvings(vae), count_halvings(unet)
    least = pixels * halvings
    if resolution % pixels or resolution < least:
        yield (
            f"unet.resolution = {resolution}; must be a multiple of {pixels} (pixels per latent of "
            f"the VAE), and at least {least} (the U-Net halves its latents to 1/{halvings}); "
            f"{describe_trained_size(unet, vae)}"
        )


def describe_trained_size(unet: Mapping, vae: Mapping) -> str:
    """Describe the resolution that a U-Net was trained at, as its config says."""
    size = find_trained_size(unet, vae)
    return f"the U-Net was trained at {size} px" if size else "see the model's card"


def find_trained_size(unet: Mapping, vae: Mapping) -> int | None:
    """The side in pixels of the images that a U-Net was trained on; None where it does not say."""
    size = unet.get("sample_size")
    size = min(size) if isinstance(size, list | tuple) and size else size
    return size * count_halvings(vae) if isinstance(size, int) else None


def count_halvings(part: Mapping) -> int:
    """By how much a VAE or a U-Net shrinks its input at most: two for each block but one."""
    return 2 ** (len(part.get("block_out_channels") or (0, 0, 0, 0)) - 1)


def list_captioner_faults(config: Mapping) -> Iterator[str]:
    """List what makes a captioner other than a BLIP-2 that generates text."""
    kind, names = config.get("model_type"), config.get("architectures") or []
    fix = "use a BLIP-2 that captions, such as Salesforce/blip2-opt-2.7b"
    if kind != "blip-2":
        yield f"config.json: model_type = {kind!r}; must be blip-2; {fix}"
        return
    if names and "Blip2ForConditionalGeneration" not in names:
        yield (
            f"config.json: architectures = {', '.join(names)}; must be "
            f"Blip2ForConditionalGeneration: this one writes no text; {fix}"
        )
    if config.get("quantization_config"):
        yield (
            "config.json: quantization_config; must be absent: quantised weights need further "
            f"libraries; {fix}"
        )


def _check_class(place: str, config: Mapping, name: str) -> str | None:
    """The fault of a part of another class than `name`; older configs do not name theirs."""
    if config.get("_class_name", name) == name:
        return None
    return f"{place}: _class_name = {config['_class_name']!r}; must be {name}: {BASE}"
