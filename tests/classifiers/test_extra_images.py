"""The extra images of an arm."""

import pytest
import torch
from mvc.classifiers.extra_images import read_extra
from mvc.core import image_tables
from mvc.core.image_set import has_equal_channels
from mvc.core.leakage import check_sources
from toy import table, toy


@pytest.mark.parametrize("source", ["finetuned", "pretrained"])
def test_check_sources_synthetic_images_come_from_training_images(source):
    """A planted source outside of the training images (here a test image) is refused."""
    train, planted = toy(), toy(5, prefix="test")
    with pytest.raises(ValueError, match=f"5 sources of {source}.*'test/0'"):
        check_sources(train.ids, planted.ids, source)
    check_sources(train.ids, toy(5).ids, source)
    check_sources(train.ids, planted.ids, "real")


def test_read_extra_reads_what_is_chosen(tmp_path):
    image_tables.write(table(toy(12, seed=3), "made", source="train"), tmp_path / "0.parquet")
    settings = {"generator": "finetuned", "size": None}
    part = read_extra(tmp_path / "0.parquet", toy(), per_real=0.5, **settings)
    assert len(part.labels) == 12 and part.ids <= toy().ids
    whole = read_extra(tmp_path / "0.parquet", toy(3), **settings | {"generator": "real"})
    few = read_extra(tmp_path / "0.parquet", toy(3), per_real=1, **settings | {"generator": "real"})
    assert torch.equal(few.images, whole.images[:3])


def test_read_extra_turns_images_grey_where_the_training_images_are(tmp_path):
    colour, grey = toy(6, seed=3), toy()
    image_tables.write(table(colour, "made", source="train"), tmp_path / "0.parquet")
    settings = {"generator": "finetuned", "size": None}
    assert torch.equal(read_extra(tmp_path / "0.parquet", grey, **settings).images, colour.images)
    grey.images[:] = grey.images[:, :1]
    assert has_equal_channels(read_extra(tmp_path / "0.parquet", grey, **settings).images)
