"""Numbers that are not finite are refused: a NaN would pass on, and end as a black picture."""

import torch
from torch import Tensor, nn


def require_finite(values: Tensor, what: str, remedy: str) -> Tensor:
    """Return `values` if all are finite.

    Args:
        what: they are; begins the message.
        remedy: keys to change; ends the message.

    Raises:
        ValueError: some are NaN or infinite.
    """
    finite = torch.isfinite(values)
    if not finite.all():
        bad = int((~finite).sum())
        raise ValueError(
            f"{what}: {bad:,} of {values.numel():,} numbers are not finite (NaN or infinite); "
            f"{remedy}"
        )
    return values


def require_finite_weights(model: nn.Module, what: str, remedy: str) -> None:
    """Refuse a model of which a weight is not finite; the message names the tensor."""
    for name, weight in model.named_parameters():
        require_finite(weight.detach(), f"{what}: {name}", remedy)
