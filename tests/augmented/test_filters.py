"""What is delivered: planted copies, leaks and wrong classes are named, pixels are those fed."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from augmented_set import CLASSES, N_MADE, N_REAL, make_folder, rows, tables
from mvc.classifiers.extra_images import read_extra
from mvc.core import image_tables
from mvc.core.image_set import read_labelled
from mvc.quality import oracle
from PIL import Image

EVERY = {"clip": None, "oracle": False, "memorised": False}
FIRST = {"section": "classifiers", "per_real": None, "per_class": None, "select": "first"}
RNG = np.random.default_rng(5)


def encode(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def open_pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def disturb(data: bytes) -> bytes:
    """The same picture in less contrast, brighter, with a little noise."""
    pixels = 0.6 * open_pixels(data) + 40 + RNG.normal(0, 2, (1, 1, 1))
    return encode(pixels + RNG.normal(0, 1.5, pixels.shape))


def put(table, data: dict[int, bytes], **columns):
    """The table with other image files in some rows, and other columns."""
    files = image_tables.get_bytes(table)
    own = {name: table[name].combine_chunks() for name in table.column_names[5:]}
    return image_tables.build_table(
        data=[data.get(row, file) for row, file in enumerate(files)],
        labels=table["label"].to_pylist(),
        class_names=table["class_name"].to_pylist(),
        image_ids=columns.pop("image_ids", table["image_id"].to_pylist()),
        **{**own, **columns},
    )


def plant() -> dict:
    """Tables with synthetic images that copy real ones, which the numbers of rows tell."""
    parts = tables()
    real, test, validation = (
        image_tables.get_bytes(parts[name]) for name in ("images", "test", "validation")
    )
    flat = encode(np.full((10, 12, 3), 77))
    more = put(parts["validation"], {0: flat}, image_ids=["validation/flat"])
    parts["validation"] = pa.concat_tables([parts["validation"], more])
    copies = {0: encode(open_pixels(real[6])), 1: disturb(real[0])}
    copies |= {2: encode(open_pixels(real[3])[:, ::-1])}
    copies |= {5: test[0], 7: disturb(validation[0]), 10: flat}
    return parts | {"made": put(parts["made"], copies)}


def read_choice(folder) -> tuple[dict, dict]:
    found = {row["image_id"]: row for row in rows(folder / "provenance.csv")}
    return found, json.loads((folder / "selection.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("planted"), **plant())


def test_planted_test_and_validation_images_are_dropped_and_named(planted):
    found, choice = read_choice(planted)
    names = tables()["made"]["image_id"].to_pylist()
    leaks = {5: "test/0", 7: "validation/0", 10: "validation/flat"}
    for row, name in enumerate(names):
        assert found[name]["copy_of_held_out_image"] == leaks.get(row, "")
        assert (found[name]["kept"] == "False") == (row in leaks)
    assert all(leaks[row] in found[names[row]]["reason"] for row in leaks)
    assert choice["dropped"] == {"leak": 3} and choice["delivered"] == N_MADE - 3
    assert (
        choice["notices"][-1]["rank"] == 0 and "3 synthetic images" in choice["notices"][-1]["text"]
    )
    files = [path.name for path in (planted / "train").rglob("synthetic-*")]
    assert len(files) == N_MADE - 3
    dropped = tuple(f"-{names[row].split('/')[1]}.png" for row in leaks)
    assert not any(file.endswith(dropped) for file in files)
    card = (planted / "README.md").read_text("utf-8")
    assert "| left out: near copy of a validation or test image |      3 |" in card


def test_planted_copies_of_training_images_are_named_and_dropped_where_asked(planted, tmp_path):
    parts = plant()
    ids = parts["images"]["image_id"].to_pylist()
    names = parts["made"]["image_id"].to_pylist()
    copies = {names[0]: ids[6], names[1]: ids[0], names[2]: ids[3]}
    found, choice = read_choice(planted)
    seen = {name: row["copy_of_training_image"] for name, row in found.items()}
    assert {name: copy for name, copy in seen.items() if copy} == copies
    assert choice["copies_of_training_images"] == 3 and found[names[0]]["kept"] == "True"
    made = make_folder(tmp_path, settings={"filters": EVERY | {"memorised": True}}, **parts)
    found, choice = read_choice(made)
    assert choice["dropped"] == {"memorised": 3, "leak": 3}
    assert all(copy in found[name]["reason"] for name, copy in copies.items())


def test_planted_wrong_classes_are_named_and_dropped_where_asked(tmp_path):
    levels = {0: 40, 1: 120, 2: 210}

    def draw(label, seed):
        noise = np.random.default_rng(seed).integers(-30, 30, (10, 12, 3))
        return encode(levels[label] + noise)

    parts = tables()
    labels = parts["images"]["label"].to_pylist()
    real = {row: draw(label, row) for row, label in enumerate(labels)}
    made = {row: draw(row % 3, 100 + row) for row in range(N_MADE)}
    made |= {4: draw(2, 104), 9: draw(1, 109)}
    parts["images"], parts["made"] = put(parts["images"], real), put(parts["made"], made)
    pixels = np.stack([open_pixels(data).transpose(2, 0, 1) for data in real.values()])
    settings = {"n_classes": 3, "steps": 60, "batch_size": 9, "learning_rate": 0.01}
    judge = oracle.train(
        torch.from_numpy(pixels), torch.tensor(labels), weight_decay=0.0, seed=0, **settings
    )
    oracle.save(judge, tmp_path / "oracle.safetensors", {"resolution": 12})
    asked = {"filters": EVERY | {"oracle": True}, "resolution": 12}
    folder = make_folder(
        tmp_path / "made", oracle=str(tmp_path / "oracle.safetensors"), settings=asked, **parts
    )
    found, choice = read_choice(folder)
    names = parts["made"]["image_id"].to_pylist()
    wrong = {names[4]: CLASSES[2], names[9]: CLASSES[1]}
    assert {name: row["oracle_class"] for name, row in found.items() if name in wrong} == wrong
    assert {name for name, row in found.items() if row["kept"] == "False"} == set(wrong)
    assert all(seen in found[name]["reason"] for name, seen in wrong.items())
    assert choice["dropped"] == {"oracle": 2}
    assert "are of another choice" in (folder / "README.md").read_text("utf-8")


@pytest.mark.parametrize("clip", [None, "top", 0.5])
def test_the_clip_filter_ranks_and_has_a_threshold(tmp_path, clip):
    parts = tables()
    chances = [0.9, 0.2, 0.2, 0.8, 0.6, 0.3, 0.1, 0.7, 0.6, 0.95, 0.3, 0.4]
    parts["made"] = put(parts["made"], {}, clip_probability=chances)
    select = "first" if clip is None else "clip"
    selection = FIRST | {"section": "augmented", "per_class": 5, "select": select}  # K = 3
    settings = {"filters": EVERY | {"clip": clip}, "selection": selection}
    found, choice = read_choice(make_folder(tmp_path, settings=settings, **parts))
    kept = [
        row
        for row, name in enumerate(parts["made"]["image_id"].to_pylist())
        if found[name]["kept"] == "True"
    ]
    assert (
        kept == {None: [0, 1, 2, 3, 4, 5], "top": [0, 4, 7, 8, 9, 11], 0.5: [0, 4, 7, 8, 9]}[clip]
    )
    dropped = {None: {"rank": 6}, "top": {"rank": 6}, 0.5: {"clip": 6, "rank": 1}}
    assert choice["dropped"] == dropped[clip]


def make_grey(parts: dict) -> dict:
    data = image_tables.get_bytes(parts["images"])
    grey = {}
    for row, file in enumerate(data):
        pixels = open_pixels(file)[..., 0]
        grey[row] = encode(pixels if row % 2 else np.repeat(pixels[..., None], 3, 2))
    return parts | {"images": put(parts["images"], grey)}


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("size", [None, 7])
def test_delivered_pixels_are_those_that_classifiers_are_fed(tmp_path, grey, size):
    from torchvision.datasets import ImageFolder

    parts = make_grey(tables()) if grey else tables()
    chances = np.linspace(0, 1, N_MADE)[::-1] ** 2
    parts["made"] = put(parts["made"], {}, clip_probability=chances.tolist())
    selection = FIRST | {"per_real": 1, "select": "clip"}
    folder = make_folder(tmp_path, settings={"selection": selection, "resolution": size}, **parts)
    train = read_labelled(tmp_path / "images.parquet", size=size)
    shards = [tmp_path / f"{first}.parquet" for first in (0, 5)]
    arm = {"per_real": 1, "select": "clip", "generator": "finetuned", "size": size}
    extra = read_extra(shards, train, **arm)
    fed = torch.cat([train.images, extra.images]).numpy()
    assert len(fed) == N_REAL + 9
    provenance = [row for row in rows(folder / "provenance.csv") if row["kept"] == "True"]
    modes = set()
    for row, pixels in zip(provenance, fed, strict=True):
        with Image.open(folder / row["file"]) as image:
            modes.add(image.mode)
            assert np.array_equal(np.asarray(image.convert("RGB")).transpose(2, 0, 1), pixels)
    assert modes == {"L" if grey else "RGB"}
    assert "tables are trained on" in (folder / "README.md").read_text("utf-8")
    opened = ImageFolder(str(folder / "train"))
    assert sorted(np.asarray(image).tobytes() for image, _ in opened) == sorted(
        pixels.transpose(1, 2, 0).tobytes() for pixels in fed
    )


def test_the_stored_file_is_kept_where_its_pixels_are_not_delivered(tmp_path):
    import pyarrow.parquet as pq

    folder = make_folder(tmp_path, settings={"resolution": 7})
    (part,) = (folder / "data").iterdir()
    stored = image_tables.get_bytes(tables()["images"]) + image_tables.get_bytes(tables()["made"])
    assert pq.read_table(part)["original"].to_pylist() == stored


def test_no_cell_is_a_formula(tmp_path):
    parts = tables()
    captions = ["=1+1", "+2", "-3", "@cmd", "\t=1", "\r=1", *["plain"] * (N_MADE - 6)]
    parts["made"] = put(parts["made"], {}, caption=captions)
    ids = parts["images"]["image_id"].to_pylist()
    strange = ["=HYPERLINK(1)", *ids[1:]]
    parts["images"] = put(parts["images"], {}, image_ids=strange)
    parts["captions"] = parts["captions"].set_column(0, "image_id", [strange])
    sources = [strange[i % N_REAL] for i in range(N_MADE)]
    parts["made"] = put(parts["made"], {}, source_image_id=sources)
    folder = make_folder(tmp_path, **parts)
    cells = [cell for row in rows(folder / "provenance.csv") for cell in row.values()]
    assert not [cell for cell in cells if cell and cell[0] in "=+-@\t\r"]
    assert {"'=1+1", "'+2", "'-3", "'@cmd", "'\t=1", "'\r=1", "'=HYPERLINK(1)"} <= {*cells}
