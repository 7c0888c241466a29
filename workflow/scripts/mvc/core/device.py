"""The device that a stage computes on, and in which precision: the one place that knows.

Weights, sums, losses and what is written stay in float32; matrix products and convolutions are
computed in half precision where a GPU has it. On a CPU nothing is rounded.
"""

# Compute capability from which cuDNN has convolutions in bfloat16; PyTorch emulates it on older
# cards and calls that supported.
BFLOAT16 = (8, 0)


def pick_device():
    """The CUDA device where there is one, else the CPU.

    What stays in float32 on a GPU multiplies matrices in TF32, as its convolutions do by default.
    """
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")


def pick_precision(device):
    """Pick the data type of matrix products and convolutions on a device.

    bfloat16 on a GPU that computes in it; float16 on an older one, whose gradients `make_scaler`
    keeps from vanishing; float32 on a CPU.
    """
    import torch

    if torch.device(device).type != "cuda":
        return torch.float32
    computes = torch.cuda.is_bf16_supported(including_emulation=False)
    newer = torch.cuda.get_device_capability(device) >= BFLOAT16
    return torch.bfloat16 if computes and newer else torch.float16


def autocast(device):
    """A context that computes in the precision of `device`, as `with autocast(device):`."""
    import torch

    precision = pick_precision(device)
    kind = torch.device(device).type
    return torch.autocast(kind, precision, enabled=precision != torch.float32)


def make_scaler(device):
    """Make the scaler of gradients, which does nothing in other precisions than float16."""
    import torch

    enabled = pick_precision(device) == torch.float16
    return torch.amp.GradScaler(torch.device(device).type, enabled=enabled)


def has_exceeded_memory(error):
    """Whether an error says that a GPU's memory did not suffice: PyTorch's, cuBLAS's or cuDNN's."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "STATUS_ALLOC_FAILED" in str(error)


def move_model(model, device):
    """Move a model to a device; on a GPU in the layout that half-precision convolutions prefer."""
    import torch

    if torch.device(device).type == "cuda":
        return model.to(device, memory_format=torch.channels_last)
    return model.to(device)
