"""Every operation equals Pillow's to the last bit, magnitudes are the papers'."""

import numpy as np
import pytest
import torch
from mvc.training import autoaugment, operations
from mvc.training.augment import (
    apply_policy,
    augment,
    crop_and_flip,
    cut_out,
    mark_squares,
    normalise,
)
from mvc.training.autoaugment import (
    AUTOAUGMENT,
    NAMES,
    RANDAUGMENT,
    SIGNED,
    build_policy,
    convert_level,
)
from PIL import Image, ImageEnhance, ImageOps

BLACK = torch.zeros(3, dtype=torch.uint8)
TEAL = torch.tensor([10, 120, 140], dtype=torch.uint8)


def shear(pil, matrix):
    return pil.transform(pil.size, Image.Transform.AFFINE, matrix, fillcolor=tuple(TEAL.tolist()))


REFERENCE = {
    "ShearX": lambda pil, v: shear(pil, (1, v, 0, 0, 1, 0)),
    "ShearY": lambda pil, v: shear(pil, (1, 0, 0, v, 1, 0)),
    "TranslateX": lambda pil, v: shear(pil, (1, 0, v, 0, 1, 0)),
    "TranslateY": lambda pil, v: shear(pil, (1, 0, 0, 0, 1, v)),
    "Rotate": lambda pil, v: pil.rotate(v, fillcolor=tuple(TEAL.tolist())),
    "AutoContrast": lambda pil, v: ImageOps.autocontrast(pil),
    "Invert": lambda pil, v: ImageOps.invert(pil),
    "Equalize": lambda pil, v: ImageOps.equalize(pil),
    "Solarize": lambda pil, v: ImageOps.solarize(pil, v),
    "Posterize": lambda pil, v: ImageOps.posterize(pil, int(v)),
    "Contrast": lambda pil, v: ImageEnhance.Contrast(pil).enhance(v),
    "Color": lambda pil, v: ImageEnhance.Color(pil).enhance(v),
    "Brightness": lambda pil, v: ImageEnhance.Brightness(pil).enhance(v),
    "Sharpness": lambda pil, v: ImageEnhance.Sharpness(pil).enhance(v),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=8, h=28, w=32, seed=0):
    """Smooth, noisy, dark, uniform and two-valued images: the operations treat them apart."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(w), np.arange(h))
    waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(0, 1, (3, 3))]
    smooth = (np.stack(waves) * 110 + 125).astype(np.uint8)
    images = rng.integers(0, 256, (n, 3, h, w), dtype=np.uint8)
    images[0], images[1], images[2], images[3] = smooth, images[1] // 5, 77, 0
    images[4] = np.where(x < 9, 30, 200)
    return torch.from_numpy(images)


def to_pil(image):
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())


def from_pil(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("size", [(28, 28), (32, 32), (17, 40)])
def test_operation_equals_pillow(name, size):
    images = pictures(8, *size)
    for sign in (1, -1) if name in SIGNED else (1,):
        levels = [0, 1, 2, 4, 5, 9, 10, 14]
        values = [sign * convert_level(name, level, size) for level in levels]
        batch = operations.OPERATIONS[name](images, torch.tensor(values).double(), TEAL)
        expected = [
            from_pil(REFERENCE[name](to_pil(i), v)) for i, v in zip(images, values, strict=True)
        ]
        assert torch.equal(batch, torch.stack(expected))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -30, 45])
def test_rotation_of_a_square_equals_pillow(degrees):
    images = pictures(5, 28, 28)
    turned = operations.rotate(images, torch.full((5,), float(degrees)).double(), BLACK)
    assert torch.equal(turned, torch.stack([from_pil(to_pil(i).rotate(degrees)) for i in images]))


def test_every_operation_has_a_reference_and_a_value():
    assert set(REFERENCE) == set(operations.OPERATIONS) == set(NAMES) - {"Identity", "Cutout"}
    for name in NAMES:
        assert np.isfinite(convert_level(name, 30, (28, 28)))
    with pytest.raises(ValueError, match="Blur.*must be one of"):
        convert_level("Blur", 3, (28, 28))


def test_magnitudes_are_the_papers():
    """AutoAugment's maxima at level 10 and what lies beyond."""
    size = (32, 32)
    at_ten = {"ShearX": 0.3, "TranslateY": 10, "Rotate": 30, "Solarize": 0, "Contrast": 1.9}
    assert {name: convert_level(name, 10, size) for name in at_ten} == pytest.approx(at_ten)
    assert convert_level("Brightness", 5, size) == pytest.approx(1.0)  # no change
    assert convert_level("Color", 0, size) == pytest.approx(0.1)
    assert convert_level("Posterize", 7, size) == 2 and convert_level("Posterize", 10, size) == 1
    assert convert_level("TranslateX", 9, (28, 28)) == 7  # 9 of 32 pixels, scaled
    assert convert_level("Rotate", 14, size) == 42 and convert_level("Solarize", 14, size) == 0


@pytest.mark.parametrize("name, theirs", [("cifar", "CIFAR10"), ("imagenet", "IMAGENET")])
def test_autoaugment_is_the_published_policy(name, theirs):
    transforms = pytest.importorskip("torchvision.transforms.v2")
    published = transforms.AutoAugment(transforms.AutoAugmentPolicy[theirs])._policies
    assert len(AUTOAUGMENT[name]) == len(published) == 25
    for ours, other in zip(AUTOAUGMENT[name], published, strict=True):
        for (operation, probability, level), (their_name, their_p, their_level) in zip(
            ours, other, strict=True
        ):
            assert (operation, probability) == (their_name, their_p)
            assert their_level in (None, level)  # None: the operation has no magnitude


def test_autoaugment_by_name():
    chosen = autoaugment.build_autoaugment((32, 32), "imagenet")
    assert [NAMES[k] for k in chosen.operations[0]] == ["Posterize", "Rotate"]
    assert chosen.values[0].tolist() == [1, 27] and chosen.operations.shape == (25, 2)
    assert not torch.equal(chosen.operations, autoaugment.build_autoaugment((32, 32)).operations)
    with pytest.raises(ValueError, match="classifiers.aa = svhn; must be one of cifar, imagenet"):
        autoaugment.build_autoaugment((32, 32), "svhn")


def test_shorter_sub_policies_do_nothing_more():
    images = pictures(8, 8, 8)
    only = build_policy([[("Invert", 1, 0)], [("Invert", 1, 0)] * 3], size=(8, 8))
    out = apply_policy(images, only, fill=BLACK, generator=generator())
    assert torch.equal(out, 255 - images)


def test_randaugment_draws_14_operations_equally_and_signs():
    assert len(set(RANDAUGMENT)) == 14 and not {"Invert", "Cutout"} & set(RANDAUGMENT)
    drawn = autoaugment.build_randaugment(2, 9, (32, 32))
    assert drawn.repeats == 2 and drawn.operations.shape == (14, 1)
    images = torch.full((28_000, 3, 1, 2), 60, dtype=torch.uint8)
    images[..., 1] = 180
    only = build_policy([[("TranslateX", 0.5, 10)], [("Solarize", 1, 10)]], size=(1, 4))
    out = apply_policy(images, only, fill=BLACK, generator=generator())
    kinds, counts = out[:, 0, 0].unique(dim=0, return_counts=True)
    shares = {tuple(k.tolist()): c / 28_000 for k, c in zip(kinds, counts.tolist(), strict=True)}
    expected = {(195, 75): 0.5, (60, 180): 0.25, (0, 60): 0.125, (180, 0): 0.125}
    assert shares == pytest.approx(expected, abs=0.012)


def test_policy_equals_one_image_at_a_time():
    """Grouping a batch by operation changes nothing: each image equals its own chain."""
    images = pictures(16, 28, 28)
    chosen = build_policy([[("Rotate", 1, 9), ("Equalize", 1, 0)]], size=(28, 28))
    out = apply_policy(images, chosen, fill=TEAL, generator=generator(1))
    for image, result in zip(images, out, strict=True):
        chains = [
            REFERENCE["Equalize"](REFERENCE["Rotate"](to_pil(image), angle), 0)
            for angle in (27, -27)
        ]
        assert any(torch.equal(result, from_pil(chain)) for chain in chains)


def test_same_seed_same_images_and_input_kept():
    images = pictures(32, 28, 28)
    before = images.clone()
    kinds = autoaugment.build_autoaugment((28, 28))
    first, second, other = (
        apply_policy(images, kinds, fill=BLACK, generator=generator(s)) for s in (0, 0, 1)
    )
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert torch.equal(images, before)


def test_crop_and_flip_equals_slicing():
    images = pictures(64, 9, 11)
    out = crop_and_flip(images, pad=2, flip=True, generator=generator(3))
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    seen = set()
    for image, result in zip(padded, out, strict=True):
        found = [
            (dy, dx, mirrored)
            for dy in range(5)
            for dx in range(5)
            for mirrored in (False, True)
            if torch.equal(
                image[:, dy : dy + 9, dx : dx + 11].flip(2)
                if mirrored
                else image[:, dy : dy + 9, dx : dx + 11],
                result,
            )
        ]
        assert found
        seen |= set(found[:1])
    assert {dy for dy, _, _ in seen} == {dx for _, dx, _ in seen} == set(range(5))
    assert {mirrored for *_, mirrored in seen} == {False, True}
    same = crop_and_flip(images, pad=0, flip=False, generator=generator(3))
    assert torch.equal(same, images)


def test_normalise_and_order():
    """Cutout comes last: its square is zero after normalising, which is the training mean."""
    images = pictures(16, 28, 28)
    mean, std = torch.tensor([10.0, 20.0, 30.0]), torch.tensor([2.0, 4.0, 8.0])
    plain = normalise(images, mean=mean, std=std)
    assert plain.is_contiguous(memory_format=torch.channels_last)
    expected = (images - mean[:, None, None]) / std[:, None, None]
    assert torch.allclose(plain, expected, atol=1e-4)
    out = augment(
        images,
        policy=None,
        pad=0,
        flip=False,
        cutout_size=8,
        mean=mean,
        std=std,
        fill=BLACK,
        generator=generator(),
    )
    erased = (out == 0).all(1)
    assert ((erased.sum((1, 2)) >= 16) & (erased.sum((1, 2)) <= 64 + 3)).all()
    assert torch.equal(out[~erased[:, None].expand_as(out)], plain[~erased[:, None].expand_as(out)])


def test_cutout_square_is_cut_off_at_the_border():
    centres = torch.tensor([[0.0, 0.0], [0.5, 0.5], [0.99, 0.0]])
    holes = mark_squares(torch.zeros(3, 3, 8, 8), centres, torch.tensor([4, 4, 6]))[:, 0]
    assert holes.sum((1, 2)).tolist() == [4, 16, 12]  # corner 2 x 2, whole 4 x 4, 4 x 3
    assert holes[1, 2:6, 2:6].all()
    full = cut_out(torch.ones(4, 3, 8, 8), 4, generator=generator())
    assert (full == 0).any((1, 2, 3)).all() and (full == 1).any((1, 2, 3)).all()
    erased = build_policy([[("Cutout", 1, 10)]], size=(8, 8))
    ones = torch.ones(4, 3, 8, 8, dtype=torch.uint8)
    out = apply_policy(ones, erased, fill=TEAL, generator=generator())
    assert {tuple(pixel.tolist()) for pixel in out.permute(0, 2, 3, 1).reshape(-1, 3)} == {
        (1, 1, 1),
        (10, 120, 140),
    }


@pytest.mark.parametrize("bad", [("Rotate", 1.5, 3), ("Rotate", 0.5, 31), ("Rotate", 0.5, -1)])
def test_bad_policies_are_refused(bad):
    with pytest.raises(ValueError, match="must be 0..1 and 0..30"):
        build_policy([[bad]], size=(8, 8))


@pytest.mark.parametrize("n, m", [(0, 5), (2, -1), (2, 31)])
def test_bad_randaugment_is_refused(n, m):
    with pytest.raises(ValueError, match="classifiers.ra"):
        autoaugment.build_randaugment(n, m, (8, 8))
