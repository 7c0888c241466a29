"""The paper's own architectures with random weights, opened and run as every stage does.

Nothing is downloaded. Half-precision files, one model at a time: 7 GB of memory at most.
"""

import gc
import shutil

import open_clip
import pytest
import real_shapes
import tiny
import torch
from diffusers import (
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    PNDMScheduler,
    UNet2DConditionModel,
)
from diffusers import StableDiffusionInstructPix2PixPipeline as Pipeline
from mvc import embeddings
from mvc.banks.recipes import leave_unmixed
from mvc.captions import generation
from mvc.core.pixels import encode as png
from mvc.models import stable_diffusion
from mvc.models.blip2 import load_captioner
from mvc.models.clip import compute_text_states, load_clip, load_text_tower, tokenize
from mvc.synthetic import sampler
from mvc.synthetic.sampler import draw_noise, solve
from mvc.unet import finetune
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

pytestmark = pytest.mark.slow

PROMPTS = [
    "This is an image of Bag, a bright bag on a wooden table",
    "This is an image of Straße & café, 3 cats' toys",
    "",
    "long " * 90,
]
SIDE = 64  # pixels; 8 x 8 latents
# Our guidance, and the scales at which the three-branch pipeline is to give the same.
IDENTITIES = [("text", 7.5, 1.0), ("both", 7.5, 7.5), ("ip2p", 7.5, 1.5)]


@pytest.fixture(autouse=True)
def frugal():
    yield
    gc.collect()


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    folder = real_shapes.clip(tmp_path_factory.mktemp("clip"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def sd(tmp_path_factory):
    folder = real_shapes.stable_diffusion(tmp_path_factory.mktemp("stable-diffusion"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("named", ["folder", "architecture/file"])
def test_token_states_are_those_of_stable_diffusions_text_encoder(clip_folder, named):
    """77 x 768 states after the final layer norm; both in float32, so to 1e-4."""
    file = clip_folder / "open_clip_model.safetensors"
    name = str(clip_folder) if named == "folder" else f"{real_shapes.CLIP}/{file}"
    model, _, tokenizer = load_clip(name)
    config = CLIPTextConfig(
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        hidden_act="quick_gelu",
        bos_token_id=49406,
        eos_token_id=49407,
    )
    theirs = CLIPTextModel(config).eval()
    prefix = next(iter(theirs.state_dict())).partition("embeddings")[0]
    state = real_shapes.text_model_state(model)
    theirs.load_state_dict({prefix + key: value for key, value in state.items()})
    ids, _ = tokenize(tokenizer, PROMPTS)
    with torch.inference_mode():
        expected = theirs(input_ids=ids).last_hidden_state
    ours = compute_text_states(model, ids)
    assert ours.shape == (4, 77, 768)
    assert torch.allclose(ours, expected, atol=1e-4)
    assert ours.std(dim=(1, 2)).min() > 0.5  # not all alike, padding rows included


@pytest.mark.parametrize("pad, padding", [("<|endoftext|>", None), ("!", 0)])
def test_token_ids_are_those_of_stable_diffusions_tokenizer(tmp_path, pad, padding):
    """Padding of 1.x or 2.x included, and the end kept where a prompt is cut."""
    theirs = CLIPTokenizer.from_pretrained(real_shapes.clip_tokenizer(tmp_path, pad=pad))
    expected = theirs(
        PROMPTS, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    )
    ids, _ = tokenize(open_clip.get_tokenizer(real_shapes.CLIP), PROMPTS, padding=padding)
    assert torch.equal(ids, expected.input_ids)


@pytest.fixture
def second(tmp_path):
    """Stable Diffusion 2.1 as far as its text goes, and the CLIP that it was trained with."""
    real_shapes.write_json(real_shapes.UNET2, tmp_path / "sd2/unet/config.json")
    real_shapes.write_json(real_shapes.ENCODER2, tmp_path / "sd2/text_encoder/config.json")
    real_shapes.clip_tokenizer(tmp_path / "sd2/tokenizer", pad="!")
    yield real_shapes.clip2(tmp_path / "clip"), tmp_path / "sd2"
    shutil.rmtree(tmp_path)


def test_token_states_of_stable_diffusion_2_are_its_text_encoders(second):
    """77 x 1024 states of 23 of 24 blocks, prompts filled with token 0; both float32, to 1e-4."""
    clip, folder = second
    model, tokenizer, padding = load_text_tower(str(clip), str(folder))
    assert len(model.transformer.resblocks) == 23 and padding == 0
    theirs = CLIPTextModel(CLIPTextConfig(**real_shapes.ENCODER2)).eval()
    prefix = next(iter(theirs.state_dict())).partition("embeddings")[0]
    state = real_shapes.text_model_state(model)
    theirs.load_state_dict({prefix + key: value for key, value in state.items()})
    tokens = CLIPTokenizer.from_pretrained(folder / "tokenizer")(
        PROMPTS, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    )
    with torch.inference_mode():
        expected = theirs(input_ids=tokens.input_ids).last_hidden_state
    batches = embeddings.embed(
        PROMPTS, model=model, tokenizer=tokenizer, batch_size=4, padding=padding
    )
    ids, _ = tokenize(tokenizer, PROMPTS, padding=padding)
    ours = compute_text_states(model, ids)
    assert ours.shape == (4, 77, 1024)
    assert torch.allclose(ours, expected, atol=1e-4)
    assert torch.allclose(torch.cat([*batches]).float(), expected, atol=5e-3)  # kept in float16


def test_solver_and_noise_are_stable_diffusions(tmp_path):
    """As the usual recipe, which turns the pipeline's PNDM scheduler into DPM-Solver++."""
    folder = real_shapes.scheduler(tmp_path)
    theirs = PNDMScheduler.from_pretrained(folder, subfolder="scheduler")
    recipe = DPMSolverMultistepScheduler.from_config(theirs.config)
    ours = stable_diffusion.load_solver(folder)
    for solver in (recipe, ours):
        solver.set_timesteps(25)
    assert torch.equal(ours.timesteps, recipe.timesteps)
    assert torch.allclose(ours.sigmas, recipe.sigmas)
    assert ours.config.algorithm_type == "dpmsolver++" and ours.config.solver_order == 2
    betas = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    assert torch.allclose(betas.alphas_cumprod, theirs.alphas_cumprod)
    assert betas.config.prediction_type == "epsilon"
    assert betas.alphas_cumprod[-1] == pytest.approx(0.00466, abs=1e-5)  # as published


def pipeline(unet, vae, solver):
    made = Pipeline(
        vae=vae,
        unet=unet,
        scheduler=solver,
        text_encoder=None,
        tokenizer=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("mode, scale, image_scale", IDENTITIES)
def test_guidance_is_the_pipelines_at_its_scales(tmp_path, mode, scale, image_scale):
    """25 steps of DPM-Solver++ on Stable Diffusion's schedule, a small U-Net, three images."""
    folder = real_shapes.scheduler(tmp_path)
    torch.manual_seed(3)
    unet, vae = tiny.unet(2 * tiny.LATENT).eval(), tiny.vae().eval()
    image, text = torch.rand(3, 3, 32, 32), torch.randn(3, 77, tiny.TEXT)
    null, noise = torch.randn(77, tiny.TEXT), draw_noise([1, 2, 3], (tiny.LATENT, 8, 8))
    theirs = pipeline(unet, vae, stable_diffusion.load_solver(folder))(
        image=image,
        prompt_embeds=text,
        negative_prompt_embeds=null.expand_as(text),
        num_inference_steps=25,
        guidance_scale=scale,
        image_guidance_scale=image_scale,
        latents=noise,
        output_type="latent",
    ).images
    with torch.inference_mode():
        condition = vae.encode(2 * image - 1).latent_dist.mode()
    ours = solve(
        unet,
        stable_diffusion.load_solver(folder),
        noise,
        text=text,
        null=null,
        image=condition,
        steps=25,
        mode=mode,
        scale=scale,
        image_scale=image_scale,
    )
    assert theirs.std() > 0.1
    assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()


@pytest.fixture(scope="module")
def widened(sd, tmp_path_factory):
    """The U-Net at step 0 against the base, then given a will of its own and written."""
    rng = torch.Generator().manual_seed(4)
    text = torch.randn(1, 77, 768, generator=rng)
    z, first, second = torch.randn(3, 1, 4, 8, 8, generator=rng)
    unet = stable_diffusion.load_unet(sd, text_width=768)
    step = torch.tensor([500])
    with torch.no_grad():
        base = unet(z, step, encoder_hidden_states=text).sample
        unet = stable_diffusion.widen(unet, 4)
        wide = [
            unet(torch.cat([z, 10 * image], 1), step, encoder_hidden_states=text).sample
            for image in (first, second)
        ]
    torch.nn.init.normal_(unet.conv_in.weight[:, 4:], std=0.05)
    unet.half()  # half the file
    folder = tmp_path_factory.mktemp("unet")
    finetune.write_unet(
        unet,
        weights=folder / "diffusion_pytorch_model.safetensors",
        config=folder / "config.json",
    )
    del unet
    gc.collect()
    yield {"base": base, "wide": wide, "folder": folder}
    shutil.rmtree(folder)


def test_widened_unet_is_the_base_at_step_0(widened):
    """Bit for bit would ask for one convolution kernel; 8 input channels may take another."""
    size = widened["base"].abs().max()
    assert size > 0.1
    for output in widened["wide"]:
        assert (output - widened["base"]).abs().max() < 1e-5 * size


@pytest.fixture(scope="module")
def conditions():
    """A picture, its text, nothing's text and the noise of seed 11."""
    rng = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (1, 3, SIDE, SIDE), generator=rng, dtype=torch.uint8)
    tokens, null = torch.randn(1, 77, 768, generator=rng), torch.randn(77, 768, generator=rng)
    return pixels, tokens, null, draw_noise([11], (4, SIDE // 8, SIDE // 8))


@pytest.fixture(scope="module")
def piped(sd, widened, conditions):
    """Images by the pipeline, opened from the folders as a user would."""
    pixels, tokens, null, noise = conditions
    made = Pipeline.from_pretrained(
        sd,
        unet=UNet2DConditionModel.from_pretrained(widened["folder"], dtype=torch.float32),
        scheduler=stable_diffusion.load_solver(sd),
        text_encoder=None,
        tokenizer=None,
        safety_checker=None,
        feature_extractor=None,
        dtype=torch.float32,
    )
    made.set_progress_bar_config(disable=True)
    images = {
        mode: made(
            image=pixels.float() / 255,
            prompt_embeds=tokens,
            negative_prompt_embeds=null[None],
            num_inference_steps=3,
            guidance_scale=scale,
            image_guidance_scale=image_scale,
            latents=noise,
            output_type="pt",
        ).images
        for mode, scale, image_scale in IDENTITIES
    }
    del made
    gc.collect()
    return images


def test_unet_folder_gives_the_pipelines_images(sd, widened, conditions, piped, monkeypatch):
    """The same latents, picture and text: to one of 255 levels, nearly all of them equal."""
    monkeypatch.setattr("mvc.core.batching.CPU_BATCH", 1)
    pixels, tokens, null, _ = conditions
    unet = stable_diffusion.load_unet(widened["folder"], text_width=768)
    assert unet.config.in_channels == 8
    vae, solver = stable_diffusion.load_vae(sd), stable_diffusion.load_solver(sd)
    for mode, scale, image_scale in IDENTITIES:
        loaded = sampler.Sampler(
            unet=unet,
            vae=vae,
            solver=solver,
            tokens=tokens,
            null=null,
            sampling=sampler.Sampling(3, mode, scale, image_scale, 1),
        )
        files = png(pixels, grayscale=False)
        (ours,) = loaded.sample(leave_unmixed([0]), [11], files, side=SIDE)
        expected = (piped[mode] * 255).round().int()
        difference = (ours.int() - expected).abs()
        assert expected.float().std() > 10
        assert difference.max() <= 1 and (difference > 0).float().mean() < 0.01, mode
    assert not torch.allclose(piped["text"], piped["both"], atol=0.01)


def test_vae_with_the_old_names_is_whole(sd):
    """Stable Diffusion 1.x's own file calls the attention's layers otherwise."""
    vae = stable_diffusion.load_vae(sd)
    assert vae.config.scaling_factor == 0.18215
    mean, std = stable_diffusion.encode(
        vae, torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8), batch_size=1
    )
    assert mean.shape == std.shape == (1, 4, SIDE // 8, SIDE // 8)
    assert stable_diffusion.decode(vae, mean).shape == (1, 3, SIDE, SIDE)


@pytest.fixture
def blip2(tmp_path):
    yield real_shapes.blip2(tmp_path, layers=2)
    shutil.rmtree(tmp_path)


def test_blip2_of_real_widths_captions(blip2):
    model, processor = load_captioner(str(blip2))
    assert model.config.vision_config.hidden_size == 1408
    assert model.language_model.lm_head.weight.shape == (50304, 2560)
    pictures = [Image.new("RGB", (28, 28), "red"), Image.effect_noise((300, 200), 80)]
    made = generation.generate_captions(
        [picture.convert("RGB") for picture in pictures],
        model=model,
        processor=processor,
        max_new_tokens=4,
        num_beams=2,
        batch_size=2,
    )
    texts = list(made)
    assert len(texts) == 2 and any(texts)
    (blip2 / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="models.captioner.*no BLIP-2 model can be opened"):
        load_captioner(str(blip2))
