"""The usual data set: images that lie in memory, each through Pillow and transforms by itself."""

from collections.abc import Sequence

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms


class PerImage(Dataset):
    """Images and labels as the CIFAR and Fashion-MNIST data sets of torchvision return them."""

    def __init__(
        self,
        images: UInt8[Tensor, "n 3 h w"],
        labels: Sequence[int],
        augmentation: Sequence,
        *,
        mean: Sequence[float],
        std: Sequence[float],
    ):
        """Args: `augmentation` is transforms of Pillow images; `mean` and `std` are in 0..1."""
        self.images = images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = labels
        normalised = (transforms.ToTensor(), transforms.Normalize(mean, std))
        self.transform = transforms.Compose([*augmentation, *normalised])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[row])), self.labels[row]


def list_augmentation(policy: object, size: int) -> list:
    """A policy, then a random crop of images padded by four pixels, then a flip."""
    crop = transforms.RandomCrop(size, padding=4)
    return [policy, crop, transforms.RandomHorizontalFlip()]
