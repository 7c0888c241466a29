"""Opening and widening Stable Diffusion's parts; images to latents and back."""

import shutil

import pytest
import tiny
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler
from mvc.core.pixels import encode as png
from mvc.models import stable_diffusion
from safetensors.torch import load_file, save_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.stable_diffusion(tmp_path_factory.mktemp("stable-diffusion"))


def inputs(channels):
    rng = torch.Generator().manual_seed(2)
    z = torch.randn(3, channels, 8, 8, generator=rng)
    return z, torch.tensor([1, 400, 999]), torch.randn(3, 5, tiny.TEXT, generator=rng)


def test_first_convolution_rebuilt_with_its_bias(folder):
    """diffusers #4960: at step 0 the widened U-Net is the base one for any conditioning image.

    But for rounding: a convolution may sum eight channels in another order than four.
    """
    base = stable_diffusion.load_unet(folder, text_width=tiny.TEXT)
    torch.nn.init.normal_(base.conv_in.bias)
    z, t, text = inputs(tiny.LATENT)
    before = base(z, t, encoder_hidden_states=text).sample
    wide = stable_diffusion.widen(base, tiny.LATENT)
    after = wide(torch.cat([z, 100 * z], 1), t, encoder_hidden_states=text).sample
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    assert wide.config.in_channels == 2 * tiny.LATENT


def test_conditioning_convention_is_written_and_read_back(folder, tmp_path):
    """InstructPix2Pix #36: the scaling of the conditioning latent is part of the checkpoint."""
    wide = stable_diffusion.widen(
        stable_diffusion.load_unet(folder, text_width=tiny.TEXT), tiny.LATENT
    )
    wide.save_pretrained(tmp_path / "a")
    back = stable_diffusion.load_unet(tmp_path / "a", text_width=tiny.TEXT)
    assert back.config.conditioning_latent == stable_diffusion.CONDITIONING
    assert torch.equal(back.conv_in.weight, wide.conv_in.weight)
    wide.register_to_config(conditioning_latent="sample, scaled")
    wide.save_pretrained(tmp_path / "b")
    with pytest.raises(ValueError, match="sample, scaled"):
        stable_diffusion.load_unet(tmp_path / "b", text_width=tiny.TEXT)


def test_weights_in_half_precision_alone_are_opened(folder, tmp_path):
    """As `variant="fp16"` of diffusers, in float32 all the same."""
    shutil.copytree(folder, tmp_path / "sd")
    for part in ("unet", "vae"):
        weights = tmp_path / "sd" / part / "diffusion_pytorch_model.safetensors"
        state = {name: value.half() for name, value in load_file(weights).items()}
        save_file(state, weights.with_suffix(".fp16.safetensors"), {"format": "pt"})
        weights.unlink()
    opened = stable_diffusion.load_unet(tmp_path / "sd", text_width=tiny.TEXT)
    whole = stable_diffusion.load_unet(folder, text_width=tiny.TEXT)
    assert opened.dtype == torch.float32
    assert torch.equal(opened.conv_out.weight, whole.conv_out.weight.half().float())
    assert stable_diffusion.load_vae(tmp_path / "sd").dtype == torch.float32


def test_compute_target_is_the_velocity_for_v_prediction():
    z, eps = torch.randn(2, 3, tiny.LATENT, 8, 8)
    t = torch.tensor([0, 400, 999])
    betas = tiny.scheduler()
    assert torch.equal(stable_diffusion.compute_target(betas, z, eps, t), eps)
    betas.register_to_config(prediction_type="v_prediction")
    alpha = betas.alphas_cumprod[t].reshape(-1, 1, 1, 1)
    expected = alpha.sqrt() * eps - (1 - alpha).sqrt() * z
    assert torch.allclose(stable_diffusion.compute_target(betas, z, eps, t), expected)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_solver_reads_what_training_teaches(tmp_path, prediction):
    """A U-Net that has learned its target perfectly leads from any noise to the image."""
    tiny.scheduler().from_config(
        tiny.scheduler().config, prediction_type=prediction
    ).save_pretrained(tmp_path / "scheduler")
    betas, solver = stable_diffusion.load_betas(tmp_path), stable_diffusion.load_solver(tmp_path)
    z, latents = torch.randn(2, 1, tiny.LATENT, 8, 8, dtype=torch.float64)
    solver.set_timesteps(10)
    for t in solver.timesteps:
        alpha = betas.alphas_cumprod[t]
        eps = (latents - alpha.sqrt() * z) / (1 - alpha).sqrt()
        target = stable_diffusion.compute_target(betas, z, eps, t[None])
        latents = solver.step(target, t, latents).prev_sample
    assert torch.allclose(latents, z, atol=1e-3)


def test_text_width_of_another_model_is_refused(folder):
    with pytest.raises(ValueError, match=f"width {tiny.TEXT}, models.clip gives 768"):
        stable_diffusion.load_unet(folder, text_width=768)


def test_what_does_not_fit_is_refused_when_it_is_opened(folder, tmp_path):
    """A model from the hub can be checked no earlier."""
    tiny.unet(inputs=2 * tiny.LATENT).save_pretrained(tmp_path / "unet")
    with pytest.raises(ValueError, match="in_channels = 8, out_channels = 4; must be equal"):
        stable_diffusion.load_unet(tmp_path, text_width=tiny.TEXT)
    unet = stable_diffusion.load_unet(folder, text_width=tiny.TEXT)
    vae = stable_diffusion.load_vae(folder)
    stable_diffusion.check_pair(folder, unet, vae)
    vae.register_to_config(latent_channels=8)
    with pytest.raises(ValueError, match="latent_channels = 8; must be equal"):
        stable_diffusion.check_pair(folder, unet, vae)
    vae.register_to_config(latent_channels=tiny.LATENT, shift_factor=0.1)
    vae.save_pretrained(tmp_path / "vae")
    with pytest.raises(ValueError, match="shift_factor = 0.1; must be null"):
        stable_diffusion.load_vae(tmp_path)


@pytest.mark.parametrize("load", [stable_diffusion.load_betas, stable_diffusion.load_solver])
@pytest.mark.parametrize(
    "scheduler, said",
    [
        (DDIMScheduler(prediction_type="sample"), "'sample'; must be one of epsilon, v_pred"),
        (FlowMatchEulerDiscreteScheduler(), "FlowMatchEulerDiscreteScheduler; must be one with"),
    ],
)
def test_a_scheduler_that_training_does_not_follow_is_refused(tmp_path, load, scheduler, said):
    scheduler.save_pretrained(tmp_path / "scheduler")
    with pytest.raises(ValueError, match=said):
        load(tmp_path)


@pytest.mark.parametrize(
    "load", [stable_diffusion.load_vae, lambda n: stable_diffusion.load_unet(n, text_width=1)]
)
def test_missing_model_folder(tmp_path, load):
    with pytest.raises(FileNotFoundError, match="models.diffusion = .*nowhere"):
        load(str(tmp_path / "nowhere"))


def test_encode_gives_mean_and_deviation_unscaled(folder):
    vae = stable_diffusion.load_vae(folder)
    pixels = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    mean, std = stable_diffusion.encode(vae, pixels, batch_size=2)
    posterior = vae.encode(pixels.float() / 127.5 - 1).latent_dist
    assert torch.allclose(mean, posterior.mode(), atol=1e-5)
    assert torch.allclose(std, posterior.std, atol=1e-5)


def test_flips_are_cached_as_second_entry(folder):
    vae = stable_diffusion.load_vae(folder)
    pixels = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    files = png(pixels, grayscale=False)
    mean, std = stable_diffusion.cache_latents(vae, files, size=32, flip=True, batch_size=2)
    assert mean.shape == std.shape == (3, 2, tiny.LATENT, 8, 8)
    mirrored, _ = stable_diffusion.encode(vae, pixels.flip(-1), batch_size=3)
    assert torch.allclose(mean[:, 1], mirrored, atol=1e-5)
    assert stable_diffusion.cache_latents(vae, files, size=32, flip=False)[0].shape[1] == 1


def test_decode_unscales(folder):
    vae = stable_diffusion.load_vae(folder)
    z = torch.randn(2, tiny.LATENT, 8, 8)
    images = stable_diffusion.decode(vae, z * vae.config.scaling_factor)
    expected = ((vae.decode(z).sample + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    assert (images.int() - expected.int()).abs().max() <= 1


def test_a_vae_on_a_gpu_takes_one_image_at_a_time(folder, monkeypatch):
    assert not stable_diffusion.load_vae(folder).use_slicing
    monkeypatch.setattr(stable_diffusion, "has_constant_batches", lambda device: False)
    vae, seen = stable_diffusion.load_vae(folder), []
    assert vae.use_slicing
    for part in (vae.encoder, vae.decoder):
        part.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    pixels = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    mean, _ = stable_diffusion.encode(vae, pixels, batch_size=3)
    assert len(stable_diffusion.decode(vae, mean)) == 3 and seen == [1] * 6


def test_encode_halves_its_batch_until_it_fits(folder, monkeypatch):
    vae = stable_diffusion.load_vae(folder)
    pixels = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    expected = stable_diffusion.encode(vae, pixels, batch_size=5)
    monkeypatch.setattr("mvc.core.batching.has_constant_batches", lambda device: False)

    def check(module, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    vae.encoder.register_forward_pre_hook(check)
    for made, whole in zip(
        stable_diffusion.encode(vae, pixels, batch_size=5), expected, strict=True
    ):
        torch.testing.assert_close(made, whole)


def test_latents_that_are_not_finite_are_refused(folder):
    vae = stable_diffusion.load_vae(folder)
    vae.encoder.register_forward_hook(lambda module, inputs, output: output * torch.nan)
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with pytest.raises(ValueError, match="latents of real images.*models.diffusion"):
        stable_diffusion.encode(vae, pixels, batch_size=2)
