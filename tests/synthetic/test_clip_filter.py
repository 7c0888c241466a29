"""CLIP's probability of an image's class, and arms that select the images it is surest of."""

from pathlib import Path

import pytest
import torch
from mvc.classifiers import extra_images
from mvc.core import counts, image_tables
from mvc.core.image_set import load_labelled
from mvc.core.image_tables import build_table
from mvc.core.pixels import encode, load
from mvc.models.clip import load_clip, tokenize
from mvc.synthetic.clip_filter import compute_probabilities, measure_clip_probability
from torch.nn.functional import normalize

CLIP = str(Path(__file__).parents[2] / "resources/miniature/clip")
NAMES = {0: "Trouser", 1: "Bag", 2: "Sandal"}
CPU = torch.device("cpu")


def pictures(n):
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, 32, 32), generator=rng, dtype=torch.uint8)


def measure(files, labels, batch_size=4, first=0):
    """The probabilities of images that stand in their set from place `first` on."""
    how = {"clip": CLIP, "prefix": "a {class}", "batch_size": batch_size, "device": CPU}
    places = range(first, first + len(files))
    return measure_clip_probability(files, labels, NAMES, places=places, **how)


def test_probabilities_are_those_of_open_clips_zero_shot_recipe():
    """Against the model called as its documentation does."""
    files, labels = encode(pictures(11), grayscale=False), [2, 0, 1] * 3 + [1, 1]
    model, _, tokenizer = load_clip(CLIP)
    mean, std = (
        torch.tensor(values).view(3, 1, 1)
        for values in (model.visual.image_mean, model.visual.image_std)
    )
    size = model.visual.image_size
    inputs = (load(files, size=size if isinstance(size, int) else size[0]) / 255 - mean) / std
    ids, _ = tokenize(tokenizer, [f"a {name}" for name in NAMES.values()])
    with torch.inference_mode():
        images = normalize(model.encode_image(inputs), dim=1)
        texts = normalize(model.encode_text(ids), dim=1)
        logits = model.logit_scale.exp() * images @ texts.T
    expected = logits.softmax(1)[torch.arange(11), labels]
    assert torch.allclose(measure(files, labels), expected, atol=1e-5)


@pytest.mark.bitwise
def test_neither_the_batch_nor_the_shard_changes_a_probability():
    files, labels = encode(pictures(21), grayscale=False), [0, 1, 2] * 7
    whole = measure(files, labels)
    assert torch.equal(whole, measure(files, labels, batch_size=3))
    for count in (2, 3, 5):
        parts = [counts.slice_shard(21, shard, count) for shard in range(count)]
        shards = [
            measure(files[p.start : p.stop], labels[p.start : p.stop], 4, p.start) for p in parts
        ]
        assert torch.equal(whole, torch.cat(shards)), count


def test_a_generator_may_have_no_image_in_a_shard():
    assert measure([], []).shape == (0,)


def test_by_hand():
    images, texts = torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    chances = compute_probabilities(images, texts, torch.tensor([0, 0]), scale=1.0)
    e = torch.exp(torch.tensor([1.0, 0.6, 0.0, 0.8]))
    assert torch.allclose(chances, torch.stack((e[0] / (e[0] + e[1]), e[2] / (e[2] + e[3]))))


def test_only_sets_that_clip_has_seen_can_be_chosen_from(tmp_path):
    train = load_labelled(table([0, 0, 1], "train"), size=None)
    extra = table([0, 1, 0, 1, 0, 0], "made")
    extra = extra.append_column("source_image_id", [["train/0"] * 6])
    image_tables.write(extra, tmp_path / "0.parquet")
    how = {"per_real": 1, "size": None, "select": "clip"}
    for generator in ("real", "real_vae", "train_vae"):
        found = extra_images.read_extra(tmp_path / "0.parquet", train, generator=generator, **how)
        assert torch.equal(found.images, load_labelled(extra, size=None).images[:3]), "the first"
    with pytest.raises(ValueError, match="clip_probability"):
        extra_images.read_extra(tmp_path / "0.parquet", train, generator="finetuned", **how)


def table(labels, name):
    return build_table(
        data=encode(pictures(len(labels)), grayscale=False),
        labels=labels,
        class_names=[NAMES[label] for label in labels],
        image_ids=[f"{name}/{i}" for i in range(len(labels))],
    )
