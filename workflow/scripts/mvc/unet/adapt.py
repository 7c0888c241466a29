"""Which weights of the U-Net are trained: all, a few of its own, or low-rank adapters.

The fewer weights are trained, the less is forgotten of what the pre-trained U-Net can draw. The
convolution that was widened for the image (Section 3.3) is new and always trained in full.
"""

from torch import nn

KINDS = ("full", "norms", "lora")
NORMS = (nn.GroupNorm, nn.LayerNorm)
# Linear layers with adapters: those of attention.
ADAPTED = ["to_q", "to_k", "to_v", "to_out.0"]


def mark_trained(unet: nn.Module, kind: str, *, rank: int) -> list[nn.Parameter]:
    """Mark the weights that are trained, and return them in the U-Net's order.

    Args:
        kind: `full`, all weights; `norms`, those of the normalisations, all biases, and the first
            and last convolution; `lora`, low-rank adapters of attention (Hu et al. 2022) and the
            first convolution.
        rank: of the adapters.

    Raises:
        ValueError: another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"unet.train = {kind!r}; must be one of {', '.join(KINDS)}")
    unet.requires_grad_(kind == "full")
    if kind == "norms":
        for module in unet.modules():
            if isinstance(module, NORMS):
                module.requires_grad_(True)
            elif getattr(module, "bias", None) is not None:
                module.bias.requires_grad_(True)
        unet.conv_out.requires_grad_(True)
    elif kind == "lora":
        from peft import LoraConfig  # a second of imports

        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=ADAPTED))
    unet.conv_in.requires_grad_(True)
    return [weight for weight in unet.parameters() if weight.requires_grad]


def merge_adapters(unet: nn.Module, kind: str) -> nn.Module:
    """Add adapters to the weights that they adapt, so that the U-Net is a plain one again."""
    if kind == "lora":
        unet.fuse_lora()
        unet.unload_lora()
    return unet
