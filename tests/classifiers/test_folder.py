"""A classifier taken home: timm opens it, and predict.py gets the accuracy that was recorded."""

import csv
import io
import json

import numpy as np
import predict
import pyarrow.parquet as pq
import pytest
import timm
import torch
from classifier_runs import list_records, make_folder, stage
from mvc.classifiers import predictions, registered
from mvc.classifiers.folder import load_classifier, write_folder
from mvc.classifiers.kept import Description
from mvc.core import image_tables
from mvc.training import networks
from PIL import Image
from toy import CPU, NAMES, generator

NETWORKS = [("wrn-10-1", (8, 8)), ("test_resnet", (28, 20)), ("test_vit2", (48, 48))]


def write_random(folder, name="wrn-10-1", size=(8, 8), *, fit="crop", weights=None, **changes):
    """Write a network of random weights; return it and what it is described by."""
    net = networks.build(name, 3, size=size, generator=generator()).net
    facts = {"mean": [99.1, 100.2, 3.3], "std": [60.1, 7.7, 77.3], "grayscale": False, **changes}
    described = Description(name, weights, ["=boot", "bag", "Straße"], size=list(size), **facts)
    write_folder(net.state_dict(), described, folder, fit=fit, record={"dataset": "toy"})
    return net.eval(), described


@pytest.mark.parametrize("name, size", NETWORKS)
@pytest.mark.parametrize("fit, crop", [("crop", "center"), ("squash", "squash")])
def test_timm_opens_the_folder(tmp_path, name, size, fit, crop):
    folder = tmp_path / "classifier"
    net, described = write_random(folder, name, size, fit=fit)
    opened = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    images = torch.rand(2, 3, *size, generator=generator())
    assert torch.equal(opened(images), net(images))
    data = timm.data.resolve_model_data_config(opened)
    assert tuple(data["input_size"]) == (3, *size) and data["crop_pct"] == 1
    assert data["interpolation"] == "bicubic" and data["crop_mode"] == crop
    assert np.allclose(data["mean"], np.array(described.mean) / 255)
    assert np.allclose(data["std"], np.array(described.std) / 255)
    config = json.loads((folder / "config.json").read_text())
    assert config["label_names"] == described.classes and config["num_classes"] == 3
    assert not {"tag", "license", "origin_url"} & {*config["pretrained_cfg"]}
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert len(modes) == 1  # who may read the card may read the weights


def test_the_folder_says_which_published_weights_it_started_from(tmp_path):
    write_random(tmp_path, "resnet18.a1_in1k", (32, 32), weights="pretrained")
    cfg = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    assert cfg["tag"] == "a1_in1k" and cfg["license"]


def test_load_classifier_has_the_statistics_to_the_last_bit(tmp_path):
    _, described = write_random(tmp_path)
    classifier = load_classifier(tmp_path, device=CPU)
    assert classifier.mean.tolist() == torch.tensor(described.mean).tolist()
    assert classifier.std.tolist() == torch.tensor(described.std).tolist()


def test_load_classifier_refuses_another_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no config.json.*results/<data set>/classifier"):
        load_classifier(tmp_path, device=CPU)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"no section mvc.*results/<data set>/classifier"):
        load_classifier(tmp_path, device=CPU)


def test_the_registered_network_takes_colour_images_only():
    with pytest.raises(ValueError, match="in_chans = 1"):
        timm.create_model(registered.ARCHITECTURE, depth=10, width=1, in_chans=1)


def encode(pixels, kind):
    """An image file of a kind that readers show differently."""
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    match kind:
        case "turned":
            exif = Image.Exif()
            exif[0x0112] = 6
            image.save(buffer, "JPEG", exif=exif)
        case "cmyk":
            image.convert("CMYK").save(buffer, "JPEG")
        case "16-bit":
            Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257).save(buffer, "PNG")
        case "alpha":
            image.putalpha(Image.fromarray(pixels[:, :, 1]))
            image.save(buffer, "PNG")
        case "grey":
            image.convert("L").save(buffer, "PNG")
        case "webp":
            image.save(buffer, "WEBP")
    return buffer.getvalue()


KINDS = ("turned", "cmyk", "16-bit", "alpha", "grey", "webp")


def make_odd(n, seed, prefix, fit):
    """Oblong images of all kinds, which only a part of is learnt of."""
    rng = np.random.default_rng(seed)
    labels = [i % 3 for i in range(n)]
    files = []
    for i, label in enumerate(labels):
        pixels = rng.integers(0, 200, (18, 30, 3)) + label * 25
        files.append(encode(pixels.astype(np.uint8), KINDS[i % len(KINDS)]))
    table = image_tables.build_table(
        data=files,
        labels=labels,
        class_names=[NAMES[label] for label in labels],
        image_ids=[f"{prefix}/{i:03d}" for i in range(n)],
    )
    return table.replace_schema_metadata(image_tables.mark_images(table.schema, fit=fit).metadata)


def export_images(table, folder):
    """Write the files of a table as they are; return their paths."""
    folder.mkdir()
    names = []
    for image_id, data in zip(
        table["image_id"].to_pylist(), image_tables.get_bytes(table), strict=True
    ):
        names.append(folder / image_id.replace("/", "-"))
        names[-1].write_bytes(data)
    return [str(name) for name in names]


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("network", ["wrn-10-1", "test_resnet"])
def test_predict_gets_exactly_the_recorded_accuracy_on_the_test_images(
    tmp_path, capsys, network, fit
):
    splits = {"train": 60, "validation": 30, "test": 75}
    tables = {name: make_odd(n, n, name, fit) for name, n in splits.items()}
    record = stage(
        tmp_path,
        keep="best",
        tables=tables,
        extra=None,
        network=network,
        resolution=12,
        steps=20,
        optimizer="adam",
        learning_rate=0.003,
    )
    assert 40 < record["accuracy"] < 100  # some are wrong, and which ones has to agree
    folder = make_folder(tmp_path, list_records(tmp_path))
    files = export_images(tables["test"], tmp_path / "photos")
    assert predict.main([str(folder), *files]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["file"] for row in rows] == files
    right = [
        row["class"] == name
        for row, name in zip(rows, tables["test"]["class_name"].to_pylist(), strict=True)
    ]
    assert round(100 * np.mean(right), 4) == record["accuracy"]
    card = (folder / "README.md").read_text()
    assert f"| test | {record['accuracy']:.1f} | 75 | [" in card
    assert f"| validation | {record['validation_accuracy']:.1f} | 30 | [" in card
    assert "recognises exactly the test images" in card


def test_the_card_of_runs_measured_on_validation_images_has_no_test_accuracy(tmp_path):
    record = stage(tmp_path, keep="best", split="validation")
    assert "validation_accuracy" not in record
    folder = make_folder(tmp_path, list_records(tmp_path), split="validation")
    card = (folder / "README.md").read_text()
    assert "| test |" not in card and "no test accuracy was measured" in card
    assert f"| validation | {record['accuracy']:.1f} | 20 |" in card


def test_a_folder_opened_on_another_processor_says_how_many_images_differ():
    record = {"split": "test", "correct": predictions_of([1, 1, 0, 1])}
    labels, predicted = np.array([0, 1, 2, 0]), np.array([0, 1, 2, 1])
    text = predictions.describe_repeat(labels, predicted, record)
    assert "2 of 4 test images" in text and "accuracy 75 %" in text


def predictions_of(correct):
    from mvc.classifiers.measures import pack_correct

    return pack_correct(np.array(correct, bool))


def test_predict_names_unreadable_files_and_fails_at_the_end(tmp_path, capsys):
    write_random(tmp_path / "c")
    good, bad = tmp_path / "=1+1.png", tmp_path / "bad.jpg"
    Image.new("RGB", (9, 9), "red").save(good)
    bad.write_bytes(b"no picture")
    output = tmp_path / "out.csv"
    names = [str(good), str(bad), str(tmp_path / "gone.png"), str(tmp_path)]
    assert predict.main([str(tmp_path / "c"), *names, "--output", str(output)]) == 1
    (row,) = csv.DictReader(output.open(encoding="utf-8"))
    assert row["file"] == str(good) and sum(
        float(row[f"probability: {name}"]) for name in ("=boot", "bag", "Straße")
    ) == pytest.approx(1, abs=1e-5)
    errors = capsys.readouterr().err
    assert "bad.jpg: not an image" in errors and "gone.png: No such file" in errors
    assert "is a folder; name its files" in errors and "3 of 4 files left out" in errors


def test_write_predictions_escapes_what_a_spreadsheet_would_compute():
    classes, file = ["=boot", "bag"], io.StringIO()
    shares = np.array([0.75, 0.25], np.float32)
    rows = [predictions.Prediction("@a.png", 0, shares), predictions.Prediction("b", 1, shares)]
    assert not predictions.write_predictions(rows, classes, file)
    header, *lines = csv.reader(io.StringIO(file.getvalue()))
    assert header == ["file", "class", "probability", "probability: =boot", "probability: bag"]
    assert lines[0] == ["'@a.png", "'=boot", "0.750000", "0.750000", "0.250000"]
    assert lines[1][:3] == ["b", "bag", "0.250000"]


def test_predict_says_that_a_photograph_is_in_colour_where_training_was_grey(tmp_path, capsys):
    write_random(tmp_path / "c", grayscale=True)
    for name, colour in (("red", "red"), ("grey", "grey")):
        Image.new("RGB", (9, 9), colour).save(tmp_path / f"{name}.png")
    files = [str(tmp_path / f"{name}.png") for name in ("red", "grey")]
    assert predict.main([str(tmp_path / "c"), *files]) == 0
    assert "1 of 2 files: in colour" in capsys.readouterr().err


def test_a_network_of_oblong_images_takes_no_others(tmp_path):
    write_random(tmp_path, size=(8, 12))
    classifier = load_classifier(tmp_path, device=CPU)
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8)).save(buffer, "PNG")
    assert classifier.read(buffer.getvalue()).shape == (3, 8, 12)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    with pytest.raises(ValueError, match="8 x 8 pixels; must be 12 x 8"):
        classifier.read(buffer.getvalue())


def test_predict_refuses_a_folder_that_is_no_classifier(tmp_path):
    with pytest.raises(SystemExit, match="no classifier in"):
        predict.main([str(tmp_path), "a.png"])


def test_the_table_keeps_how_its_images_become_squares(tmp_path):
    image_tables.write(make_odd(6, 0, "a", "pad"), tmp_path / "a.parquet")
    assert pq.read_schema(tmp_path / "a.parquet").metadata[image_tables.FIT] == b"pad"
