"""Images of a single colour are found, and refused where they are many."""

import pytest
import torch
from mvc.core import image_tables
from mvc.core.pixels import encode
from mvc.synthetic.constant import find_constant, has_one_colour, refuse_constant


def draw(n, constant):
    """Noise, of which the first images are constant, each of its own colour."""
    pixels = torch.randint(0, 256, (n, 3, 8, 8), dtype=torch.uint8)
    pixels[:constant] = pixels[:constant, :, :1, :1]
    return pixels


def tabulate(pixels):
    n = len(pixels)
    files, ids = encode(pixels, grayscale=False), [f"train/{i}" for i in range(n)]
    return image_tables.build_table(
        data=files, labels=[0] * n, class_names=["cat"] * n, image_ids=ids
    )


def test_find_constant_is_has_one_colour_of_the_file():
    pixels = draw(5, 2)
    pixels[4] = 7
    pixels[4, 2, 5, 5] = 8  # a single value
    expected = [True, True, False, False, False]
    assert find_constant(pixels).tolist() == expected
    for grayscale in (False, True):
        files = encode(pixels[:4], grayscale=grayscale)
        assert [has_one_colour(file) for file in files] == expected[:4]


@pytest.mark.parametrize(
    "synthetic, real, passes",
    [(0, 0, True), (2, 0, True), (3, 0, False), (8, 10, True), (20, 10, False), (20, 20, True)],
)
def test_refuse_constant_allows_for_the_training_images(synthetic, real, passes):
    """Of 20 images each: a tenth more may be constant than of the real ones."""
    batches = draw(20, synthetic).split(6)
    passed = refuse_constant(batches, total=20, train=tabulate(draw(20, real)))
    if passes:
        assert torch.equal(torch.cat([*passed]), torch.cat(batches))
    else:
        with pytest.raises(ValueError, match=r"of 20 synthetic images .* 10% more .*MOST_CONSTANT"):
            list(passed)


def test_refuse_constant_stops_as_soon_as_it_is_sure():
    seen = []

    def sample():
        for _ in range(100):
            seen.append(1)
            yield draw(10, 10)

    with pytest.raises(ValueError, match="110 of 1,000"):
        list(refuse_constant(sample(), total=1000, train=tabulate(draw(4, 0))))
    assert len(seen) == 11
