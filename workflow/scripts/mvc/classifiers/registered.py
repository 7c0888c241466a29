"""The project's Wide-ResNets as a network of timm: an import of this module registers it.

Then `timm.create_model("local-dir:<folder>", pretrained=True)` opens a folder that holds one.
"""

from timm.models import build_model_with_cfg, register_model

from mvc.training.wide_resnet import WideResNet

ARCHITECTURE = "mvc_wide_resnet"
# What timm wants to know of a network; mean, deviation and size are those of the folder.
default_cfgs = {
    ARCHITECTURE: {
        "architecture": ARCHITECTURE,
        "num_classes": 10,
        "input_size": (3, 32, 32),
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "first_conv": "stem",
        "classifier": "head",
    }
}


class RegisteredWideResNet(WideResNet):
    """WRN-depth-width with the attributes that timm reads."""

    def __init__(self, depth: int, width: int, num_classes: int, in_chans: int = 3):
        if in_chans != 3:
            raise ValueError(f"in_chans = {in_chans}; must be 3")
        super().__init__(depth, width, num_classes)
        self.num_classes = num_classes
        self.num_features = self.head.in_features


def build_registered(pretrained: bool = False, **options):
    """Build one as timm does; `depth` and `width` are among the options."""
    return build_model_with_cfg(RegisteredWideResNet, ARCHITECTURE, pretrained, **options)


build_registered.__name__ = ARCHITECTURE  # the name that timm registers
register_model(build_registered)
