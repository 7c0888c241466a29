"""The extra images of an arm."""

import pytest
from mvc.classifiers.extra_images import read_extra, select_per_class
from mvc.core import image_tables
from mvc.core.leakage import check_sources
from toy import NAMES, table, toy


@pytest.mark.parametrize("source", ["finetuned", "pretrained"])
def test_check_sources_synthetic_images_come_from_training_images(source):
    """A planted source outside of the training images (here a test image) is refused."""
    train, planted = toy(), toy(5, prefix="test")
    with pytest.raises(ValueError, match=f"5 sources of {source}.*'test/0'"):
        check_sources(train.ids, planted.ids, source)
    check_sources(train.ids, toy(5).ids, source)
    check_sources(train.ids, planted.ids, "real")


def test_select_per_class_takes_the_first(tmp_path):
    train, extra = toy(7), toy(12, seed=3)  # K = 3, 2, 2 of 4 each
    whole = table(extra, "made", source="train")
    found = select_per_class(whole, train, per_real=1.2, select="first")
    ids = found["image_id"].to_pylist()  # ceil(1.2 K) = 4, 3, 3: without the last of 1 and 2
    assert ids == [f"made/{i}" for i in range(12) if i not in (10, 11)]
    assert len(select_per_class(whole, train, per_real=0.5, select="first")) == 2 + 1 + 1
    with pytest.raises(ValueError, match="per_real = 2: class 'boot' has 4 extra images of the 6"):
        select_per_class(whole, train, per_real=2, select="first")
    image_tables.write(whole, tmp_path / "0.parquet")
    settings = {"generator": "finetuned", "size": None}
    part = read_extra(tmp_path / "0.parquet", toy(), per_real=0.5, **settings)
    assert len(part.labels) == 12 and part.ids <= toy().ids
    stranger = toy(12, seed=3, names={**NAMES, 3: "sock"})
    strange = table(stranger, "made", source="train")
    assert 3 in select_per_class(strange, train, per_real=1, select="first")["label"].to_pylist()
