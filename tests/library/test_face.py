"""The functions of `import mvc` on a few images, with the shipped models."""

import io

import mvc
import numpy as np
import pandas as pd
import pytest
import torch
from finished import draw_png
from mvc.classifiers.folder import write_folder
from mvc.classifiers.kept import Description
from mvc.classifiers.predictions import predict_files
from mvc.library.arguments import check_embeddings, check_lengths, read_images
from mvc.training import networks
from PIL import Image
from project_tree import REPO
from toy import generator

MODELS = REPO / "resources/miniature"
CAPTIONER, CLIP, DIFFUSION = (str(MODELS / name) for name in ("blip2", "clip", "stable-diffusion"))
NAMES = ["Bag", "Bag", "Coat", "Coat"]
CAPTIONS = ["a bag", "a small bag", "a coat", "a long coat"]


@pytest.fixture(scope="module")
def pictures():
    return [Image.open(io.BytesIO(draw_png(seed, side=28))) for seed in range(4)]


@pytest.fixture(scope="module")
def embeddings():
    return mvc.embed(CAPTIONS, NAMES, clip=CLIP, diffusion=DIFFUSION)


@pytest.fixture(scope="module")
def bank(embeddings):
    return mvc.mix(embeddings, NAMES, per_real=2)


@pytest.fixture(scope="module")
def tuned(pictures, embeddings, bank, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned") / "unet"
    few = {"steps": 2, "steps_per_image": None, "batch_size": 4, "learning_rate": 1e-3}
    models = {"diffusion": DIFFUSION, "bank": bank, "text": "bank"}
    assert mvc.tune(pictures, NAMES, embeddings, folder, **models, **few) == folder
    return folder


def test_read_images_takes_paths_and_pictures_of_any_mode(pictures, tmp_path):
    pictures[0].save(tmp_path / "a.png")
    contents = (tmp_path / "a.png").read_bytes()
    files = read_images([tmp_path / "a.png", str(tmp_path / "a.png"), pictures[0].convert("CMYK")])
    assert files[0] == files[1] == contents
    back = [Image.open(io.BytesIO(data)).convert("RGB") for data in files]
    assert np.abs(np.asarray(back[0], int) - np.asarray(back[2], int)).max() <= 1
    with pytest.raises(TypeError, match=r"images\[1\] is of type int; must be a path or a PIL"):
        read_images([pictures[0], 3])
    with pytest.raises(TypeError, match=r"must be a list of images"):
        read_images(tmp_path / "a.png")


def test_check_lengths_says_how_many_there_are():
    check_lengths(images=[1, 2], names=[3, 4])
    with pytest.raises(ValueError, match="2 images, 1 names; must be one of each"):
        check_lengths(images=[1, 2], names=[3])
    with pytest.raises(ValueError, match="0 images"):
        check_lengths(images=[])


@pytest.mark.slow
def test_caption_writes_a_line_per_image(pictures):
    texts = mvc.caption(pictures, captioner=CAPTIONER, max_new_tokens=8)
    assert len(texts) == 4 and all(text and "\n" not in text for text in texts)
    assert texts == mvc.caption(pictures, captioner=CAPTIONER, max_new_tokens=8)
    with pytest.raises(ValueError, match="fit = 'stretch'; must be one of crop, pad, squash"):
        mvc.caption(pictures, captioner=CAPTIONER, fit="stretch")
    with pytest.raises(FileNotFoundError, match="models.captioner = nowhere/at/all"):
        mvc.caption(pictures, captioner="nowhere/at/all")


def test_embed_puts_the_class_before_the_caption(embeddings):
    texts = ["This is an image of Bag, a bag"]
    alone = mvc.embed(texts, clip=CLIP, diffusion=DIFFUSION)
    assert embeddings["tokens"].shape[0] == 4 and embeddings["tokens"].dtype == torch.float16
    torch.testing.assert_close(alone["tokens"][0], embeddings["tokens"][0], rtol=0, atol=1e-2)
    with pytest.raises(ValueError, match="4 captions, 1 class_names"):
        mvc.embed(CAPTIONS, ["Bag"], clip=CLIP, diffusion=DIFFUSION)


def test_mix_draws_recipes_within_each_class(bank, embeddings):
    assert list(bank["class_name"]) == ["Bag"] * 4 + ["Coat"] * 4
    for label, base, coarse in zip(bank["label"], bank["base"], bank["coarse"], strict=True):
        rows = [0, 1] if label == 0 else [2, 3]
        assert base in rows and all(edit["donor"] in rows for edit in coarse)
    assert bank["change"].gt(0).any()
    per_class = mvc.mix(embeddings, NAMES, per_real=None, per_class=3)
    assert list(per_class["class_name"]) == ["Bag", "Coat"]


@pytest.mark.parametrize(
    "wrong", [{"rows": "some"}, {"edits": "none"}, {"base": "first"}, {"per_real": 0}]
)
def test_mix_names_the_value_that_it_refuses(embeddings, wrong):
    ((key, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"{key} = '?{value}"):
        mvc.mix(embeddings, NAMES, **wrong)


def test_check_embeddings_refuses_what_embed_has_not_made():
    for other in (torch.zeros(4, 77, 16), {"tokens": torch.zeros(4, 77, 16)}, {"tokens": 1}):
        with pytest.raises(TypeError, match="embeddings of type .*; must be what mvc.embed"):
            check_embeddings(other)


def test_materialise_makes_the_embeddings_of_recipes(embeddings, bank):
    mixed = mvc.materialise(embeddings, bank)
    assert mixed.shape == (8, *embeddings["tokens"].shape[1:])
    plain = bank.assign(coarse=[[]] * 8, fine=[[]] * 8)
    base = torch.tensor(bank["base"].to_numpy()).long()
    assert torch.equal(mvc.materialise(embeddings, plain), embeddings["tokens"][base])
    norms = (mixed.float() - embeddings["tokens"][base].float()).flatten(1).norm(dim=1)
    norms /= embeddings["tokens"][base].float().flatten(1).norm(dim=1)
    np.testing.assert_allclose(norms, bank["change"], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_tune_writes_a_unet_that_generates(tuned, pictures, embeddings, bank):
    assert {"config.json", "diffusion_pytorch_model.safetensors", "loss.csv"} == {
        path.name for path in tuned.iterdir()
    }
    assert pd.read_csv(tuned / "loss.csv")["loss"].notna().sum() == 2
    generator = mvc.load_generator(tuned, embeddings, diffusion=DIFFUSION, steps=2)
    sources = [pictures[base] for base in bank["base"]]
    images = mvc.generate(generator, bank, sources)
    assert len(images) == 8 and {image.size for image in images} == {(32, 32)}
    again = mvc.generate(generator, bank[:1], sources[:1])
    assert np.array_equal(np.asarray(again[0]), np.asarray(images[0]))
    with pytest.raises(ValueError, match="one for each recipe: it is fine-tuned"):
        mvc.generate(generator, bank)
    with pytest.raises(ValueError, match="8 recipes, 8 seeds, 4 images"):
        mvc.generate(generator, bank, pictures)


def test_load_generator_opens_the_pretrained_unet(embeddings, bank, pictures):
    generator = mvc.load_generator(None, embeddings, diffusion=DIFFUSION, steps=1)
    images = mvc.generate(generator, bank[:2], seeds=[1, 2])
    assert len(images) == 2
    with pytest.raises(ValueError, match="of this generator must be None"):
        mvc.generate(generator, bank[:2], pictures[:2])
    with pytest.raises(ValueError, match="guidance = 'none'; must be one of text, both, ip2p"):
        mvc.load_generator(None, embeddings, diffusion=DIFFUSION, guidance="none")


@pytest.mark.parametrize(
    "wrong, kind, said",
    [
        ({"learning": 1}, TypeError, "no setting 'learning'; its settings are train, rank"),
        ({"train": "some"}, ValueError, "train = 'some'; must be one of full, norms, lora"),
        ({"text": "bank"}, ValueError, "text = 'bank', bank of type NoneType"),
        ({"fit": "cut"}, ValueError, "fit = 'cut'"),
    ],
)
def test_tune_names_the_value_that_it_refuses(pictures, embeddings, tmp_path, wrong, kind, said):
    with pytest.raises(kind, match=said):
        mvc.tune(pictures, NAMES, embeddings, tmp_path, diffusion=DIFFUSION, **wrong)
    assert not list(tmp_path.iterdir())


def test_filter_keeps_the_surest_of_each_class(pictures):
    found = mvc.filter(pictures, NAMES, clip=CLIP, keep=1)
    assert list(found["class_name"]) == NAMES and found["clip_probability"].between(0, 1).all()
    for _, group in found.groupby("class_name"):
        assert group["kept"].sum() == 1
        assert group["kept"].idxmax() == group["clip_probability"].idxmax()
    assert mvc.filter(pictures, NAMES, clip=CLIP)["kept"].all()
    among = mvc.filter(pictures, NAMES, clip=CLIP, classes=["Shirt", "Coat", "Bag"])
    assert (among["clip_probability"] < found["clip_probability"]).all()
    with pytest.raises(ValueError, match="class_name = 'Bag'; must be one of Coat"):
        mvc.filter(pictures, NAMES, clip=CLIP, classes=["Coat"])


def test_predict_is_what_the_classifier_says(tmp_path, pictures):
    net = networks.build("wrn-10-1", 2, size=(28, 28), generator=generator()).net
    facts = {"mean": [99.0, 100.0, 3.0], "std": [60.0, 7.0, 77.0], "grayscale": False}
    described = Description("wrn-10-1", None, ["bag", "=coat"], size=[28, 28], **facts)
    write_folder(net.state_dict(), described, tmp_path, fit="crop", record={"dataset": "toy"})
    classifier = mvc.load_classifier(tmp_path)
    pictures[3].save(tmp_path / "3.png")
    found = mvc.predict(classifier, [*pictures[:3], tmp_path / "3.png"])
    chances = found[["probability: bag", "probability: =coat"]].to_numpy()
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    assert list(found["class"]) == [["bag", "=coat"][column] for column in chances.argmax(axis=1)]
    assert np.array_equal(found["probability"], chances.max(axis=1))
    said = list(predict_files(classifier, [tmp_path / "3.png"]))[0].probabilities
    np.testing.assert_allclose(chances[3], said, rtol=1e-5)
    assert not len(mvc.predict(classifier, []))
    (tmp_path / "no.png").write_bytes(b"none")
    with pytest.raises(ValueError, match="image 1: not an image"):
        mvc.predict(classifier, [pictures[0], tmp_path / "no.png"])
    with pytest.raises(FileNotFoundError, match="no classifier in nowhere"):
        mvc.load_classifier("nowhere")
