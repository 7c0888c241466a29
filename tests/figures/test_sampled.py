"""Figure 6: which images a recipe mixes, and that its record tells how each picture was made."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from grids import place
from mvc.banks import mixing
from mvc.banks.recipes import stack_recipes, tabulate_recipes
from mvc.core import image_tables
from mvc.core.decoding import decode
from mvc.core.pixels import encode
from mvc.figures import sampled
from mvc.models.stable_diffusion import load_unet, widen
from mvc.synthetic import sampler
from PIL import Image

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
LABELS = [0, 0, 0, 1, 1, 2]
NAMES = ("cat", "dog", "only one")


def recipe(coarse=(), fine=(), bank_id=0):
    """A recipe over caption 0 of four rows and two columns."""
    return {
        "bank_id": bank_id,
        "base": 0,
        "coarse": [dict(zip(("donor", "first", "last"), e, strict=True)) for e in coarse],
        "fine": [dict(zip(("donor", "row", "first", "last"), e, strict=True)) for e in fine],
    }


@pytest.fixture
def tokens():
    """Four captions that differ everywhere, but 3 from 0 in its last row alone."""
    tokens = torch.arange(1.0, 5.0)[:, None, None].expand(4, 4, 2).clone()
    tokens[3, :3] = tokens[0, :3]
    return tokens


@pytest.mark.parametrize(
    "one, donor, shares",
    [
        (recipe([(1, 0, 0)]), 1, (0.75, 0.25)),
        (recipe([(1, 0, 1), (2, 1, 2)]), 2, (0.25, 0.5)),  # row 1 goes to 2
        (recipe([(1, 0, 3), (2, 0, 3)]), 2, (0.0, 1.0)),  # nothing else is left
        (recipe(fine=[(2, 1, 0, 0)]), 2, (0.875, 0.125)),
        (recipe([(3, 2, 3)]), 3, (0.0, 1.0)),  # the two differ in row 3 alone
        (recipe(), None, (1.0, 0.0)),
    ],
)
def test_shares_by_hand(tokens, one, donor, shares):
    found = sampled.find_most_mixed([one], tokens)
    assert (found.base, found.donor) == (0, donor)
    assert (found.base_share, found.donor_share) == shares


def test_the_recipe_with_most_of_both_images_is_taken(tokens):
    """Not the one with the largest edit, which is all B."""
    edits = [(1, 0, 3)], [(1, 0, 0)], [(2, 1, 2)], [(1, 0, 2)]
    bank = [recipe(coarse, bank_id=i) for i, coarse in enumerate(edits)]
    found = sampled.find_most_mixed(bank, tokens)
    assert found.recipe["bank_id"] == 2 and found.donor == 2
    assert (found.base_share, found.donor_share) == (0.5, 0.5)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Six images of three classes, one of them alone in its class, and tiny models on disk."""
    folder = tmp_path_factory.mktemp("figure6")
    diffusion = tiny.stable_diffusion(folder / "stable-diffusion")
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (6, 3, 32, 32), generator=rng, dtype=torch.uint8)
    train = image_tables.build_table(
        data=encode(pixels, grayscale=False),
        labels=LABELS,
        class_names=[NAMES[label] for label in LABELS],
        image_ids=[f"train/{i}" for i in range(6)],
    )
    tokens = torch.randn(6, 7, tiny.TEXT, generator=rng).half()
    counts = {label: 2 * LABELS.count(label) for label in LABELS}
    options = dict(counts=counts, coarse=1, fine=2, rows="all", base="uniform", seed=0)
    rows = [*mixing.mix_classes(LABELS, tokens, torch.full((6,), 7), **options)]
    image_tables.write(train, folder / "train.parquet")
    image_tables.write(tabulate_recipes(rows, [0.0] * len(rows)), folder / "bank.parquet")
    wide = widen(load_unet(diffusion, text_width=tiny.TEXT), tiny.LATENT)
    torch.nn.init.normal_(wide.conv_in.weight, std=0.2)
    wide.save_pretrained(folder / "unet")
    embeddings = {"tokens": tokens, "null": tokens[0] * 0}
    return dict(folder=folder, train=train, rows=rows, embeddings=embeddings, diffusion=diffusion)


SYNTHETIC = {"steps": 2, "guidance": "text", "scale": 3.0, "image_scale": 1.0, "batch_size": 4}
SYNTHETIC |= {"interval": None, "order": 2, "karras": False}


@pytest.fixture(scope="module")
def drawn(world):
    """The image grid and the records that the script writes."""
    from safetensors.torch import save_file

    folder = world["folder"]
    save_file(world["embeddings"], folder / "embeddings.safetensors")
    cfg = dict(classes=3, images=2, cell=32, seed=7, resolution=32, synthetic=SYNTHETIC)
    spec = importlib.util.spec_from_file_location("stage_figure6", SCRIPTS / "figure6.py")
    stage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stage)
    out = SimpleNamespace(picture=folder / "figure6.png", recipes=folder / "figure6.csv")
    given = SimpleNamespace(
        images=folder / "train.parquet",
        bank=folder / "bank.parquet",
        embeddings=folder / "embeddings.safetensors",
        unet=folder / "unet/diffusion_pytorch_model.safetensors",
    )
    params = SimpleNamespace(cfg={**cfg, "diffusion": world["diffusion"]})
    stage.main(
        SimpleNamespace(
            params=params, input=given, output=out, log=[folder / "figure6.log"], threads=1
        )
    )
    return Image.open(out.picture).convert("RGB"), pd.read_csv(out.recipes)


def test_source_images_stand_first_in_their_rows(world, drawn):
    drawing, records = drawn
    contents = dict(
        zip(
            world["train"]["image_id"].to_pylist(),
            image_tables.get_bytes(world["train"]),
            strict=True,
        )
    )
    firsts = records.drop_duplicates("class_name")
    assert firsts["class_name"].tolist() == list(NAMES)
    tops = []
    for row in firsts.itertuples():
        a = place(drawing, decode(contents[row.base_image_id]), 1)
        tops.append(a[1])
        if isinstance(row.donor_image_id, str):
            b = place(drawing, decode(contents[row.donor_image_id]), 1)
            assert b[1] == a[1] and b[0] > a[0]
    assert tops == sorted(tops)


def test_donors_are_others_of_the_class_and_none_where_there_is_one_image(drawn):
    _, records = drawn
    alone = records["class_name"] == NAMES[2]
    assert records.loc[alone, "donor_image_id"].isna().all()
    assert not records.loc[~alone, "donor_image_id"].isna().any()
    assert (records["base_image_id"] != records["donor_image_id"]).all()
    both = records[["base_share", "donor_share"]]
    assert (both >= 0).all(axis=None) and (both.sum(axis=1) <= 1).all()


def test_images_are_conditioned_on_both_sources_in_turn(drawn):
    _, records = drawn
    for _, own in records.groupby("class_name"):
        second = own["donor_image_id"].fillna(own["base_image_id"]).iloc[0]
        assert own["conditioned_on"].tolist() == [own["base_image_id"].iloc[0], second]


@pytest.mark.parametrize("generator", ["finetuned", "pretrained"])
def test_every_picture_is_made_again_from_its_record(world, drawn, generator):
    drawing, records = drawn
    loaded = sampler.load_sampler(
        world["folder"] / "unet" if generator == "finetuned" else world["diffusion"],
        world["embeddings"],
        diffusion=world["diffusion"],
        sampling=sampler.read_sampling(SYNTHETIC),
        device=torch.device("cpu"),
    )
    by_id = {row["bank_id"]: row for row in world["rows"]}
    ids = world["train"]["image_id"].to_pylist()
    contents = image_tables.get_bytes(world["train"])
    places = []
    for row in records.itertuples():
        sources = [contents[ids.index(row.conditioned_on)]] if loaded.conditioned else None
        own = stack_recipes([by_id[row.bank_id]])
        (image,) = next(loaded.sample(own, [row.seed], sources, side=32))
        place_ = place(drawing, Image.fromarray(np.moveaxis(image.numpy(), 0, 2)), 1)
        assert place_ is not None
        places.append(place_)
    assert len(set(places)) == len(records) == 6
