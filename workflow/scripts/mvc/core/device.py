"""The device that a stage computes on."""


def pick_device():
    """The CUDA device where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
