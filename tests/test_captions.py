"""Captions by BLIP-2, prompts that name the class, and the user's own captions."""

from pathlib import Path

import numpy as np
import pytest
from mvc import captions
from mvc.models import blip2
from PIL import Image

BLIP2 = str(Path(__file__).parents[1] / "resources/miniature/blip2")
PREFIX = "This is an image of {class}"


@pytest.fixture(scope="module")
def captioner():
    return blip2.load_captioner(BLIP2)


def pictures(n):
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)) for _ in range(n)]


def made(captioner, images, **changes):
    model, processor = captioner
    options = dict(max_new_tokens=12, num_beams=2, batch_size=4) | changes
    return [*captions.generate_captions(iter(images), model=model, processor=processor, **options)]


def test_every_image_gets_a_line_of_text_in_order(captioner):
    images = pictures(5)
    texts = made(captioner, images)
    assert len(texts) == 5 and all(texts)
    assert all("\n" not in text and "<" not in text for text in texts)
    assert made(captioner, images[::-1])[::-1] == texts


@pytest.mark.bitwise
def test_batches_change_nothing(captioner):
    images = pictures(3)
    assert made(captioner, images, batch_size=1) == made(captioner, images, batch_size=8)


def test_captions_are_as_long_as_asked_for_at_most(captioner):
    (text,) = made(captioner, pictures(1), max_new_tokens=2)
    _, processor = captioner
    assert len(processor.tokenizer(text, add_special_tokens=False)["input_ids"]) <= 2


def test_missing_captioner_names_the_key(tmp_path):
    with pytest.raises(FileNotFoundError, match="models.captioner = .*nowhere: no BLIP-2"):
        blip2.load_captioner(str(tmp_path / "nowhere"))


def test_prompt_names_the_class():
    made = captions.make_prompt("a red shirt ", "T-shirt/top", prefix=PREFIX)
    assert made == "This is an image of T-shirt/top, a red shirt"
    assert captions.make_prompt("", "Bag", prefix=PREFIX) == "This is an image of Bag"
    assert captions.make_prompt("a bag", "Bag", prefix="") == "a bag"
    assert captions.make_prompt("x", "{odd} & 'name'", prefix=PREFIX).endswith("{odd} & 'name', x")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_own_captions_are_taken_by_image(tmp_path, suffix):
    import pandas as pd

    frame = pd.DataFrame(
        {"image_id": ["b", "a", "z"], "caption": ["a bag", "an apple, red", "unused"]}
    )
    path = tmp_path / f"own{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    assert captions.read_captions(path, ["a", "b"]) == ["an apple, red", "a bag"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("image_id,text\na,x\n", "no column caption"),
        ("image_id,caption\na,x\na,y\n", "a has more than one caption"),
        ("image_id,caption\na,x\n", "no caption for 1 of 2 training images, b the first"),
    ],
)
def test_own_captions_that_do_not_fit_are_refused(tmp_path, text, said):
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        captions.read_captions(path, ["a", "b"])


def test_own_captions_that_are_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="captions.file = .*: no such file"):
        captions.read_captions(tmp_path / "own.csv", ["a"])
