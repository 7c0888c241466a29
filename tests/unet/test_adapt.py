"""Which weights are trained, and a plain U-Net in the end."""

import copy

import pytest
import tiny
import torch
from mvc.models.stable_diffusion import widen
from mvc.unet.adapt import KINDS, NORMS, mark_trained, merge_adapters


@pytest.fixture
def unet():
    torch.manual_seed(0)
    return widen(tiny.unet(), tiny.LATENT)


def predict(unet):
    rng = torch.Generator().manual_seed(1)
    latents = torch.randn(2, 2 * tiny.LATENT, 8, 8, generator=rng)
    text = torch.randn(2, 5, tiny.TEXT, generator=rng)
    with torch.no_grad():
        return unet(latents, torch.tensor([3, 700]), encoder_hidden_states=text).sample


def test_all_weights_are_trained_in_full(unet):
    assert mark_trained(unet, "full", rank=4) == list(unet.parameters())


def test_norms_train_normalisations_biases_and_the_outer_convolutions(unet):
    trained = set(mark_trained(unet, "norms", rank=4))
    for name, module in unet.named_modules():
        for key, weight in module.named_parameters(recurse=False):
            outer = name in ("conv_in", "conv_out")
            assert (weight in trained) == (isinstance(module, NORMS) or key == "bias" or outer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_unet_is_a_plain_one_that_computes_the_same(unet, kind):
    plain = copy.deepcopy(unet)
    trained = mark_trained(unet, kind, rank=2)
    assert torch.equal(predict(unet), predict(plain)), "nothing is changed before training"
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in trained:
            weight += 0.05 * torch.randn(weight.shape, generator=rng)
    adapted = predict(unet)
    assert not torch.allclose(adapted, predict(plain), atol=1e-3)
    fused = merge_adapters(unet, kind)
    assert fused.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(predict(fused), adapted, rtol=1e-4, atol=1e-4)
    kept = {n for n, w in fused.state_dict().items() if torch.equal(w, plain.state_dict()[n])}
    adapters = [n for n in kept if "attn" in n and n.endswith(("to_q.weight", "to_out.0.weight"))]
    assert bool(adapters) == (kind == "norms") and "conv_in.weight" not in kept


def test_adapters_have_their_rank_and_the_widened_convolution_is_trained(unet):
    few, more = (
        sum(w.numel() for w in mark_trained(copy.deepcopy(unet), "lora", rank=rank))
        for rank in (1, 3)
    )
    outer = sum(w.numel() for w in unet.conv_in.parameters())
    assert more - outer == 3 * (few - outer) > 0


def test_another_kind_is_refused(unet):
    with pytest.raises(ValueError, match="must be one of full, norms, lora"):
        mark_trained(unet, "bias", rank=1)
