"""The precision of each device, and what half precision changes of the miniature's results."""

from pathlib import Path

import pytest
import torch
from mvc.core import device
from mvc.miniature import captioner, quality
from mvc.models import blip2, clip, stable_diffusion
from mvc.quality import oracle
from mvc.training.loop import predict, train
from mvc.training.strategies import Phase, shuffle_batches
from toy import generator, toy

MODELS = Path(__file__).parents[2] / "resources" / "miniature"
HALF = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize(
    ("capability", "in_hardware", "expected"),
    [
        ((9, 0), True, torch.bfloat16),
        ((8, 0), True, torch.bfloat16),
        ((7, 5), False, torch.float16),  # T4, RTX 20xx: PyTorch emulates bfloat16
        ((7, 0), True, torch.float16),
        ((8, 6), False, torch.float16),
    ],
)
def test_pick_precision_knows_emulation_from_support(
    monkeypatch, capability, in_hardware, expected
):
    def is_bf16_supported(including_emulation=True):
        return including_emulation or in_hardware

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    assert device.pick_precision("cuda") == expected
    assert device.pick_precision(torch.device("cpu")) == torch.float32


def test_a_cpu_rounds_nothing(monkeypatch):
    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.pick_device() == torch.device("cpu")
    assert torch.get_float32_matmul_precision() == before
    a = torch.randn(8, 8, generator=generator())
    with device.autocast("cpu"):
        assert (a @ a).dtype == torch.float32
    assert not device.make_scaler("cpu").is_enabled()
    net = device.move_model(torch.nn.Conv2d(3, 4, 3), "cpu")
    assert net.weight.is_contiguous()


def test_a_gpu_multiplies_matrices_in_tf32(monkeypatch):
    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    try:
        assert device.pick_device() == torch.device("cuda")
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.fixture(params=HALF, ids=str)
def half(request, monkeypatch):
    """A function that calls another one as a GPU of that precision would, here on the CPU."""

    def call(function, *arguments, **named):
        with monkeypatch.context() as patch:
            for module in (device, blip2):
                patch.setattr(module, "pick_precision", lambda _: request.param)
            return function(*arguments, **named)

    call.dtype = request.param
    return call


@pytest.fixture(scope="module")
def models():
    return quality.Models(MODELS)


@pytest.fixture(scope="module")
def pictures(models):
    """Forty pictures of clothes by the miniature itself."""
    return models.sample(steps=10, scale=3.0, seed=0)


# Parity: latents differ by less than 2 % of their spread, pixels by less than 2 of 255 levels on
# average, CLIP's embeddings by an angle whose cosine is above 0.999. Captions share nine words in
# ten: a beam search goes another way where two words are nearly as likely.


def test_latents_and_pixels_are_those_of_float32(models, pictures, half):
    mean, std = stable_diffusion.encode(models.vae, pictures, batch_size=8)
    rounded, spread = half(stable_diffusion.encode, models.vae, pictures, batch_size=8)
    assert rounded.dtype == spread.dtype == torch.float32
    assert (rounded - mean).std() < 0.02 * mean.std()
    assert (spread - std).abs().mean() < 0.02 * std.mean()
    latents = mean * models.vae.config.scaling_factor
    exact = stable_diffusion.decode(models.vae, latents).float()
    assert (half(stable_diffusion.decode, models.vae, latents).float() - exact).abs().mean() < 2


def test_samples_are_those_of_float32(models, pictures, half):
    drawn = half(models.sample, steps=10, scale=3.0, seed=0)
    assert (drawn.float() - pictures.float()).abs().mean() < 2


def test_embeddings_of_images_are_those_of_float32(models, pictures, half):
    size = clip.find_image_size(models.clip)
    pixels = torch.nn.functional.interpolate(pictures, size=size)
    exact = clip.embed_images(pixels, models.clip, batch_size=8)
    rounded = half(clip.embed_images, pixels, models.clip, batch_size=8)
    assert rounded.dtype == torch.float32
    assert (exact * rounded).sum(1).min() > 0.999


def test_captions_say_what_those_of_float32_say(models, pictures, half):
    exact = captioner.describe(models.captioner, models.processor, pictures)
    model = half(blip2.load_captioner, str(MODELS / "blip2"))[0]
    assert half.dtype in {weight.dtype for weight in model.parameters()}
    rounded = captioner.describe(model, models.processor, pictures)
    pairs = [({*a.split()}, {*b.split()}) for a, b in zip(exact, rounded, strict=True)]
    assert sum(len(a & b) / len(a | b) for a, b in pairs) > 0.9 * len(pairs)


def train_toy():
    torch.manual_seed(0)
    data = toy()
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 3)
    )
    order = shuffle_batches(24, 480, 8, generator=generator())
    train(
        net,
        [data.images],
        data.labels,
        [Phase(order, 60, 0.1)],
        augment_batch=lambda batch: batch.float() / 255,
        optimizer="sgd",
        weight_decay=0,
        max_grad_norm=1.0,
    )
    mean, std = torch.zeros(3), torch.full((3,), 255.0)
    return predict(net, data.images, mean=mean, std=std), net[3].weight.detach()


def test_classifiers_learn_as_in_float32(half):
    exact, weights = train_toy()
    rounded, near = half(train_toy)
    assert torch.equal(exact, rounded) and torch.equal(exact, toy().labels)
    assert near.dtype == torch.float32 and (near - weights).norm() < 0.05 * weights.norm()


def test_an_oracle_learns_as_in_float32(half):
    data = toy()
    settings = dict(n_classes=3, steps=30, batch_size=8, learning_rate=0.01, seed=0)
    settings["weight_decay"] = 0.01
    trained = half(oracle.train, data.images, data.labels, **settings)
    assert torch.equal(half(oracle.predict, trained, data.images), data.labels)
