"""NaN and infinite numbers are refused, in tensors and in weights."""

import pytest
import torch
from mvc.core.finite import require_finite, require_finite_weights


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_require_finite(value):
    values = torch.ones(2, 3)
    assert require_finite(values, "latents", "") is values
    values[1, 2] = value
    with pytest.raises(ValueError, match="latents: 1 of 6 numbers .*; lower synthetic.scale"):
        require_finite(values, "latents", "lower synthetic.scale")


def test_require_finite_weights_names_the_tensor():
    model = torch.nn.Linear(2, 2)
    require_finite_weights(model, "unet", "")
    torch.nn.init.constant_(model.bias, torch.nan)
    with pytest.raises(ValueError, match="unet: bias: 2 of 2"):
        require_finite_weights(model, "unet", "")
