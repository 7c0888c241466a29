"""Captions by BLIP-2, prompts that name the class, and the user's own captions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mvc.captions import generation, own, prompts
from mvc.models import blip2
from PIL import Image

BLIP2 = str(Path(__file__).parents[2] / "resources/miniature/blip2")
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
    return [
        *generation.generate_captions(iter(images), model=model, processor=processor, **options)
    ]


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


def test_captions_halve_their_batch_until_it_fits(captioner, monkeypatch):
    """As on a GPU, whose memory holds two images."""
    images = pictures(5)
    expected = made(captioner, images)
    monkeypatch.setattr("mvc.core.batching.has_constant_batches", lambda device: False)
    model, processor = captioner

    def limit(most):
        def check(module, inputs, kwargs):
            if len(kwargs.get("pixel_values", inputs and inputs[0])) > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")

        return model.vision_model.register_forward_pre_hook(check, with_kwargs=True)

    with limit(2):
        assert made(captioner, images, batch_size=5) == expected
    with limit(0), pytest.raises(MemoryError, match=r"set captions.num_beams to 1 \(it is 2\)"):
        made(captioner, images)
    with limit(0), pytest.raises(MemoryError, match="captions.file"):
        made(captioner, images, num_beams=1)


def test_captions_are_as_long_as_asked_for_at_most(captioner):
    (text,) = made(captioner, pictures(1), max_new_tokens=2)
    _, processor = captioner
    assert len(processor.tokenizer(text, add_special_tokens=False)["input_ids"]) <= 2


def test_missing_captioner_names_the_key(tmp_path):
    with pytest.raises(FileNotFoundError, match="models.captioner = .*nowhere: no BLIP-2"):
        blip2.load_captioner(str(tmp_path / "nowhere"))


def test_prompt_names_the_class():
    made = prompts.make_prompt("a red shirt ", "T-shirt/top", prefix=PREFIX)
    assert made == "This is an image of T-shirt/top, a red shirt"
    assert prompts.make_prompt("", "Bag", prefix=PREFIX) == "This is an image of Bag"
    assert prompts.make_prompt("a bag", "Bag", prefix="") == "a bag"
    assert prompts.make_prompt("x", "{odd} & 'name'", prefix=PREFIX).endswith("{odd} & 'name', x")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_own_captions_are_taken_by_image(tmp_path, suffix):
    import pandas as pd

    frame = pd.DataFrame(
        {"image_id": ["b", "a", "z"], "caption": ["a bag", "an apple, red", "unused"]}
    )
    path = tmp_path / f"own{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    assert own.read_captions(path, ["a", "b"]) == ["an apple, red", "a bag"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("image_id,text\na,x\n", "no column caption; its columns are image_id, text"),
        ("file_name,text\na,x\n", "no column image_id or caption; its columns are file_name, text"),
        ("image_id,caption\na,x\na,y\n", "row 3: a has another caption in row 2"),
        ("image_id,caption\na,a cat, sitting\nb,x\n", r"row 2: 3 fields \(a .* quote values"),
        ("image_id,caption\na\nb,x\n", "row 2: 1 fields"),
        ("image_id,caption,Caption\na,x,y\n", "has the column 'caption' twice"),
        ("image_id,caption\na,caf\xe9\n".encode("cp1252"), "row 2 has the byte 0xe9, perhaps of L"),
        ("image_id,caption\na,x\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
        ("image_id,caption\nphotos/a,x\n", "its image_id are like 'photos/a', those .* like 'a'"),
        ("image_id,caption\n", "none of its 0 rows"),
    ],
)
def test_own_captions_that_do_not_fit_are_refused(tmp_path, text, said):
    path = tmp_path / "own.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=said) as caught:
        own.read_captions(path, ["a", "b"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "image_id;caption\nk/a;x, y\nk/b;z\n",
        "Image_ID\tCaption\r\nk/a\tx, y\r\n\r\nk/b\tz\r\n",
        '\ufeffimage_id, caption \nk\\a,"x, y"\nk\\b,z\nk\\b,z\n',
        'caption,note,image_id\n"x, y",,k/a\nz,"two\nlines",k/b\n',
    ],
)
def test_own_captions_as_spreadsheets_write_them(tmp_path, text):
    path = tmp_path / "own.csv"
    path.write_bytes(text.encode())
    assert own.read_captions(path, ["k/b", "k/a"]) == ["z", "x, y"]


def test_missing_and_empty_captions_are_counted(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("image_id,caption\na,x\nb,\n", encoding="utf-8")
    texts = own.read_captions(path, ["a", "b", "c"])
    assert texts == ["x", None, None]
    with pytest.raises(ValueError, match="for 2 of 3 .* b the first; .*captions.missing"):
        own.check_complete(texts, ["a", "b", "c"], path=path)
    own.check_complete(texts[:1], ["a"], path=path)


@pytest.mark.parametrize("data", [b"PAR1", b""])
def test_damaged_parquet_of_captions_is_refused(tmp_path, data):
    path = tmp_path / "own.parquet"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="captions.file = .*own.parquet is not Parquet"):
        own.read_captions(path, ["a"])


def test_own_captions_that_are_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="captions.file = .*: no such file"):
        own.read_captions(tmp_path / "own.csv", ["a"])


def test_captions_that_are_not_numbers_are_missing_not_the_word_nan(tmp_path):
    import pandas as pd

    path = tmp_path / "own.parquet"
    texts = pd.Series(["x", float("nan"), None], dtype=object)
    pd.DataFrame({"image_id": ["a", "b", "c"], "caption": texts}).to_parquet(path)
    assert own.read_captions(path, ["a", "b", "c"]) == ["x", None, None]
    pd.DataFrame({"image_id": ["a", "b"], "caption": [float("nan")] * 2}).to_parquet(path)
    assert own.read_captions(path, ["a", "b"]) == [None, None]
    pd.DataFrame({"image_id": ["a", "b"], "caption": [1, 2]}).to_parquet(path)
    with pytest.raises(ValueError, match="column caption is int64; must be text"):
        own.read_captions(path, ["a", "b"])


def test_columns_of_other_names_are_suggested(tmp_path):
    path = tmp_path / "metadata.csv"
    path.write_text("file_name,text\na,x\n", encoding="utf-8")
    with pytest.raises(ValueError, match="rename 'file_name' to image_id or 'text' to caption"):
        own.read_captions(path, ["a"])
