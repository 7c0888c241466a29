"""Operations of the stages per image, and operations per second of a device.

A multiplication and its addition count as two operations, as in PyTorch's counter: the U-Net of
Stable Diffusion 1.5 takes 180 GFLOP at 256 pixels. Convolutions, matrix products and attention are
counted; the rest is below 1 %. Models may be on device `meta`, see `estimate.architectures`.
"""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mvc.core.device import pick_precision

BACKWARD = 2  # gradients of the inputs and of the weights: one forward's operations each


def count_operations(run: Callable[[], object]) -> int:
    """Count the operations of a call."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def count_unet_forward(
    unet: nn.Module, *, resolution: int, factor: int = 8, tokens: int = 77
) -> int:
    """Count the operations of one evaluation of the U-Net for one image.

    Args:
        resolution: side of the image, in pixels.
        factor: pixels of a side per latent position, see `compute_latent_factor`.
        tokens: number of context tokens.
    """
    side = resolution // factor
    latents = _make_zeros(unet, 1, unet.config.in_channels, side, side)
    text = _make_zeros(unet, 1, tokens, unet.config.cross_attention_dim)
    step = torch.zeros((), dtype=torch.int64, device=latents.device)
    return count_operations(lambda: unet(latents, step, encoder_hidden_states=text))


def count_vae_encode(vae: nn.Module, *, resolution: int) -> int:
    """Count the operations of the VAE's encoder on an image; `resolution` in pixels."""
    return count_operations(
        lambda: vae.encode(_make_zeros(vae, 1, vae.config.in_channels, *[resolution] * 2))
    )


def count_vae_decode(vae: nn.Module, *, resolution: int) -> int:
    """Count the operations of the VAE's decoder to an image; `resolution` in pixels."""
    side = resolution // compute_latent_factor(vae)
    return count_operations(
        lambda: vae.decode(_make_zeros(vae, 1, vae.config.latent_channels, side, side))
    )


def compute_latent_factor(vae: nn.Module) -> int:
    """Compute the pixels of a side per latent position: 8 for Stable Diffusion."""
    return 2 ** (len(vae.config.block_out_channels) - 1)


def count_text_tower(clip: nn.Module) -> int:
    """Count the operations of the text tower on one prompt."""
    from mvc.models.clip import compute_text_states, find_text_tower

    m = find_text_tower(clip).positional_embedding.shape[0]
    ids = _make_zeros(clip, 1, m).long()
    return count_operations(lambda: compute_text_states(clip, ids))


def count_image_tower(clip: nn.Module) -> int:
    """Count the operations of the image tower on one image."""
    from mvc.models.clip import find_image_size

    size = find_image_size(clip)
    return count_operations(lambda: clip.encode_image(_make_zeros(clip, 1, 3, size, size)))


def count_caption(captioner: nn.Module, *, new_tokens: int, num_beams: int) -> int:
    """Count BLIP-2 on one image: vision tower, Q-Former, and the language model on every token.

    The language model takes two operations per weight and token; each beam reads the image's query
    tokens and the start token again. Its attention, over a few hundred tokens, is left out.
    """
    config = captioner.config
    side = config.vision_config.image_size
    pixels = _make_zeros(captioner, 1, 3, side, side)
    queries = captioner.query_tokens
    seen = (side // config.vision_config.patch_size) ** 2 + 1  # patches and the class token
    states = _make_zeros(captioner, 1, seen, config.vision_config.hidden_size)
    vision = count_operations(lambda: captioner.vision_model(pixels))
    qformer = count_operations(
        lambda: captioner.qformer(query_embeds=queries, encoder_hidden_states=states)
    )
    layers = (m for m in captioner.language_model.modules() if isinstance(m, nn.Linear))
    weights = sum(layer.weight.numel() for layer in layers)
    return vision + qformer + 2 * weights * num_beams * (config.num_query_tokens + 1 + new_tokens)


def count_classifier_forward(model: nn.Module, *, size: int) -> int:
    """Count the operations of a classifier on one image; `size` in pixels."""
    return count_operations(lambda: model(_make_zeros(model, 1, 3, size, size)))


def count_training_step(forward: int) -> int:
    """Count forward and backward pass of one image, from the operations of the forward pass."""
    return (1 + BACKWARD) * forward


def count_sampling(unet: int, decode: int, *, evaluations: int, encode: int = 0) -> int:
    """Count one synthetic image: all evaluations of the U-Net, conditioning image, decoding.

    Args:
        unet: operations of `count_unet_forward`; decode, encode: of the VAE.
        evaluations: of the U-Net, over all branches and steps.
    """
    return evaluations * unet + encode + decode


def measure_throughput(device: str | torch.device, *, seconds: float | int = 3) -> float:
    """Measure the operations per second of a device on usual layers of a U-Net, by a short run.

    A 3x3 convolution and a self-attention of 320 channels at 32 x 32 positions (256 pixels), in
    the device's precision, with the threads that PyTorch has.
    """
    device = torch.device(device)
    gpu = device.type == "cuda"
    block, state = _build_block(device, pick_precision(device), 32 if gpu else 1)
    wait = torch.cuda.synchronize if gpu else lambda: None
    with torch.inference_mode():
        each = count_operations(lambda: block(state))
        for _ in range(3):  # the first calls choose kernels
            block(state)
        wait()
        calls, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds or not calls:
            for _ in range(20 if gpu else 1):
                block(state)
                calls += 1
            wait()
    return each * calls / max(spent, 1e-9)


def _build_block(
    device: torch.device, dtype: torch.dtype, images: int
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Build the layers that `measure_throughput` times, and their input."""
    c, side, heads = 320, 32, 8
    options = {"device": device, "dtype": dtype}
    convolution = nn.Conv2d(c, c, 3, padding=1, **options).to(memory_format=torch.channels_last)
    project, out = nn.Linear(c, 3 * c, **options), nn.Linear(c, c, **options)

    def run(x: Tensor) -> Tensor:
        tokens = convolution(x).flatten(2).transpose(1, 2)
        parts = project(tokens).view(len(x), side**2, 3, heads, c // heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return out(mixed.transpose(1, 2).reshape(len(x), side**2, c))

    x = torch.randn(images, c, side, side, **options)
    return run, x.to(memory_format=torch.channels_last)


def _make_zeros(model: nn.Module, *shape: int) -> Tensor:
    like = next(model.parameters())
    return torch.zeros(*shape, device=like.device, dtype=like.dtype)
