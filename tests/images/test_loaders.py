"""Every loader reads its data set in the form in which it is published, and splits it by rule."""

import hashlib
import io
import json
import pickle
import urllib.error
import urllib.request

import numpy as np
import pytest
import raw_data
from mvc.config.catalogue import LOADERS
from mvc.core import image_tables
from mvc.images import manifests
from mvc.images.build import build_images
from mvc.images.loaders import fashion_mnist
from mvc.images.loaders.brain_tumor import eight_bits, slice_png
from mvc.images.loaders.cifar import unpickled
from mvc.images.loaders.tiny_imagenet import class_names
from mvc.images.splits import SPLITS, Record
from PIL import Image
from raw_data import FOLDER, picture, put, run_script, tar_of, zip_of

# What a loader of arrays with a test set reads; each loader's own keys are tested this way.
SHARES = {"validation_fraction": 0.2, "labels_per_class": None, "seed": 0}
DRAWN = {**SHARES, "test_fraction": 0.25}
FILES = {**SHARES, "unreadable": "error"}
PINNED = {
    "train": "0 3 5 9 10 12",
    "validation": "1 4 8 15",
    "extra": "2 11",
    "test": "6 7 13 14",
    "oracle": "",
}


def build(tmp_path, loader, path, cfg=SHARES, **changes):
    settings = {**cfg, "loader": loader, "path": path and str(path), **changes}
    return build_images(settings, name="mine", data=tmp_path / "data")


def unpacked(folder, files):
    for name, data in files.items():
        put(folder / name, data)
    return folder


def sizes(built):
    return {split: len(rows) for split, rows in built.splits.items() if rows}


def everything(built):
    return sorted((r for rows in built.splits.values() for r in rows), key=lambda r: r.image_id)


def shown(record):
    return np.asarray(Image.open(io.BytesIO(record.read())))


# CIFAR


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar10_is_read_in_both_forms(tmp_path, binary, packed):
    files = raw_data.cifar10(binary=binary)
    path = tar_of(tmp_path / "c.tar.gz", files) if packed else unpacked(tmp_path / "c", files)
    built = build(tmp_path, "cifar10", path)
    assert built.classes[:2] == ("class 0", "class 1") and len(built.classes) == 10
    assert sizes(built) == {"train": 80, "validation": 20, "test": 20}
    assert built.report["source"] == str(path) and built.report["found"] == 120
    pixels, labels = raw_data.cifar_arrays(20, 10, seed=3)  # data_batch_4: images 60 to 79
    record = next(r for r in everything(built) if r.image_id == "train/64")
    assert np.array_equal(shown(record), pixels[4].reshape(3, 32, 32).transpose(1, 2, 0))
    assert record.label == labels[4]
    assert all(r.image_id.startswith("test/") for r in built.splits["test"])


@pytest.mark.parametrize("binary", [False, True])
def test_cifar100_has_the_fine_classes_in_words(tmp_path, binary):
    path = tar_of(tmp_path / "c.tar.gz", raw_data.cifar100(binary=binary))
    built = build(tmp_path, "cifar100", path, labels_per_class=1, validation_fraction=0)
    assert built.classes[42] == "a b 42" and len(built.classes) == 100
    assert sizes(built) == {"train": 100, "extra": 200, "test": 100}
    assert {r.image_id: r.label for r in everything(built)}["train/142"] == 42


def test_folder_may_be_the_inner_one(tmp_path):
    folder = unpacked(tmp_path / "c", raw_data.cifar10()) / "cifar-10-batches-py"
    assert sizes(build(tmp_path, "cifar10", folder))["test"] == 20


def test_cifar_without_a_batch_names_the_files(tmp_path):
    files = raw_data.cifar10()
    del files["cifar-10-batches-py/data_batch_3"]
    with pytest.raises(ValueError, match=r"datasets.mine.path = .*data_batch_3.*batches.meta"):
        build(tmp_path, "cifar10", unpacked(tmp_path / "c", files))


class Harmful:
    def __reduce__(self):
        return print, ("code was run",)


@pytest.mark.parametrize(
    "value, reason",
    [
        (pickle.dumps({"data": Harmful()}), "calls .*print, which no batch does"),
        (pickle.dumps({"data": Harmful()}, protocol=0), "calls .*print"),
        (b"cos\nsystem\n(S'true'\ntR.", "calls os.system"),
        (b"cnumpy\nfromfile\n(S'/etc/passwd'\ntR.", "calls numpy.fromfile"),
        (raw_data.python2_pickle({"data": np.zeros(3)}), "array of f8; only bytes"),
        (pickle.dumps([1, 2]), "holds no dict"),
        (b"", "Ran out of input"),
        (raw_data.python2_pickle({"labels": [1, 2]})[:-3], "truncated|ran out|Ran out|no batch"),
    ],
)
def test_pickle_that_is_no_batch_is_refused_and_runs_nothing(tmp_path, capsys, value, reason):
    with pytest.raises(ValueError, match=f"batch is no batch of CIFAR: .*{reason}"):
        unpickled(put(tmp_path / "batch", value))
    assert "code was run" not in capsys.readouterr().out


def test_batches_are_read_as_pickle_itself_reads_them(tmp_path):
    data = raw_data.cifar10()["cifar-10-batches-py/test_batch"]
    expected = pickle.loads(data, encoding="latin1")
    found = unpickled(put(tmp_path / "batch", data))
    assert np.array_equal(found["data"].values, expected["data"])
    assert found["labels"] == expected["labels"] and found.keys() == expected.keys()


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"labels": [0]}, "pixels .* and 1 labels do not fit"),
        ({"labels": [300] * 20}, "do not fit"),
        ({"labels": [10] * 20}, "test label 10; must be < 10"),
        ({"data": "text"}, "has no data"),
        ({"labels": None}, "no labels; it has labels, data"),
    ],
)
def test_cifar_batch_that_does_not_fit_is_refused(tmp_path, change, reason):
    files = raw_data.cifar10()
    good = {"labels": [0] * 20, "data": raw_data.cifar_arrays(20, 10)[0]}
    files["cifar-10-batches-py/test_batch"] = raw_data.python2_pickle({**good, **change})
    with pytest.raises(ValueError, match=reason):
        build(tmp_path, "cifar10", unpacked(tmp_path / "c", files))


def test_binary_batch_of_another_length_is_refused(tmp_path):
    files = raw_data.cifar10(binary=True)
    files["cifar-10-batches-bin/data_batch_2.bin"] += b"\0"
    with pytest.raises(ValueError, match="data_batch_2.bin has 61,461 bytes; .* 3,073"):
        build(tmp_path, "cifar10", unpacked(tmp_path / "c", files))


# Downloads


class Network:
    """Serves files in place of the network: nothing but `urlopen` is replaced."""

    def __init__(self, files):
        self.files, self.asked = files, []

    def __call__(self, request):
        self.asked.append(request.full_url)
        if request.full_url not in self.files:
            raise urllib.error.URLError("network is unreachable")
        reply = io.BytesIO(self.files[request.full_url])
        reply.url, reply.length = request.full_url, len(self.files[request.full_url])
        return reply


@pytest.fixture
def cifar_is_tiny(tmp_path, monkeypatch):
    """The network has a small CIFAR-10; the catalogue has its checksum."""
    data = tar_of(tmp_path / "served.tar.gz", raw_data.cifar10()).read_bytes()
    known = LOADERS["cifar10"]
    archive = known.archive._replace(md5=hashlib.md5(data).hexdigest())
    monkeypatch.setitem(LOADERS, "cifar10", known._replace(archive=archive))
    network = Network({archive.url: data})
    monkeypatch.setattr(urllib.request, "urlopen", network)
    return network


def test_download_is_compared_kept_and_used_again(tmp_path, cifar_is_tiny):
    built = build(tmp_path, "cifar10", None)
    kept = tmp_path / "data" / "cifar10" / "cifar-10-python.tar.gz"
    assert sizes(built)["train"] == 80 and built.report["source"] == str(kept)
    assert [p.name for p in kept.parent.iterdir()] == [kept.name]
    cifar_is_tiny.asked.clear()
    build(tmp_path, "cifar10", None)
    assert cifar_is_tiny.asked == []
    kept.write_bytes(kept.read_bytes()[:99])
    build(tmp_path, "cifar10", None)
    assert cifar_is_tiny.asked and kept.stat().st_size > 99


def test_download_with_another_checksum_is_not_kept(tmp_path, cifar_is_tiny):
    (url,) = cifar_is_tiny.files
    cifar_is_tiny.files[url] = b"something else"
    with pytest.raises(FileNotFoundError, match="not found or corrupted"):
        build(tmp_path, "cifar10", None)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("loader", ["cifar10", "cifar100", "tiny_imagenet", "caltech101"])
def test_without_network_the_file_its_place_and_the_key_are_named(tmp_path, monkeypatch, loader):
    network = Network({})
    monkeypatch.setattr(urllib.request, "urlopen", network)
    source = LOADERS[loader].archive
    with pytest.raises(FileNotFoundError) as caught:
        build(tmp_path, loader, None, DRAWN)
    text = str(caught.value)
    assert network.asked == [source.url]
    assert source.name in text and source.url in text and "network is unreachable" in text
    assert str(tmp_path / "data" / loader / source.name) in text and "datasets.mine.path" in text
    assert list((tmp_path / "data").iterdir()) == []


def test_addresses_and_checksums_are_torchvisions(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10, CIFAR100, caltech

    for loader, published in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        found = LOADERS[loader].archive
        assert found == (published.url, published.tgz_md5) and found.name == published.filename
    asked = {}

    def record(url, **options):
        asked.update(options, url=url)
        raise KeyboardInterrupt

    monkeypatch.setattr(caltech, "download_and_extract_archive", record)
    with pytest.raises(KeyboardInterrupt):
        caltech.Caltech101(tmp_path, download=True)
    assert LOADERS["caltech101"].archive == (asked["url"], asked["md5"])
    assert LOADERS["tiny_imagenet"].archive.name == "tiny-imagenet-200.zip"


@pytest.mark.parametrize("loader", [*LOADERS])
def test_path_that_is_not_there_names_the_key(tmp_path, loader):
    cfg = {**raw_data.FASHION, **FOLDER}
    error = ValueError if loader == "digits" else FileNotFoundError
    with pytest.raises(error, match=r"datasets.mine.path = .*absent"):
        build(tmp_path, loader, tmp_path / "absent", cfg)


# Tiny ImageNet


@pytest.mark.parametrize("packed", [False, True])
def test_tiny_imagenet_tests_on_its_validation_images(tmp_path, packed):
    files = raw_data.tiny_imagenet()
    path = zip_of(tmp_path / "t.zip", files) if packed else unpacked(tmp_path / "t", files)
    built = build(tmp_path, "tiny_imagenet", path, FILES, validation_fraction=0.25)
    assert built.classes == ("cardigan (n02113186)", "Egyptian cat", "cardigan (n02963159)")
    assert sizes(built) == {"train": 9, "validation": 3, "test": 6}
    labels = {r.image_id: r.label for r in everything(built)}
    assert labels["val/val_2.JPEG"] == 2 and labels["train/n02124075/n02124075_0.JPEG"] == 1
    for record in built.splits["test"]:
        name = record.image_id.removeprefix("val/")
        assert record.read() == files[f"tiny-imagenet-200/val/images/{name}"]


def test_tiny_imagenet_with_a_wrong_annotation_names_the_line(tmp_path):
    files = raw_data.tiny_imagenet()
    files["tiny-imagenet-200/val/val_annotations.txt"] += b"../../wnids.txt\tn02124075\t0\n"
    with pytest.raises(ValueError, match=r"val_annotations.txt line 7: .* names no image"):
        build(tmp_path, "tiny_imagenet", zip_of(tmp_path / "t.zip", files), FILES)


def test_class_without_a_name():
    assert class_names(["n1"], "n1\tbull mastiff, dog\n") == ("bull mastiff",)
    with pytest.raises(ValueError, match="no name for n2 of wnids.txt"):
        class_names(["n1", "n2"], "n1\tone\n")


def test_damaged_image_follows_the_key(tmp_path):
    files = raw_data.tiny_imagenet()
    files["tiny-imagenet-200/val/images/val_0.JPEG"] = b"damaged"
    path = zip_of(tmp_path / "t.zip", files)
    with pytest.raises(ValueError, match=r"1 of 18 image files.*\n  val/val_0.JPEG: not an image"):
        build(tmp_path, "tiny_imagenet", path, FILES)
    built = build(tmp_path, "tiny_imagenet", path, FILES, unreadable="skip")
    assert len(built.splits["test"]) == 5 and built.report["skipped"]["count"] == 1


# Caltech-101


def caltech(tmp_path, form):
    files = raw_data.caltech101()
    inner = tar_of(tmp_path / "101_ObjectCategories.tar.gz", files)
    if form == "tar.gz":
        return inner
    if form == "zip":
        nested = {"caltech-101/101_ObjectCategories.tar.gz": inner.read_bytes()}
        return zip_of(tmp_path / "caltech-101.zip", nested | {"caltech-101/Annotations.tar": b"?"})
    folder = unpacked(tmp_path / "c", files)
    return folder if form == "above" else folder / "101_ObjectCategories"


@pytest.mark.parametrize("form", ["zip", "tar.gz", "above", "inside"])
def test_caltech_is_split_without_its_background(tmp_path, form):
    built = build(tmp_path, "caltech101", caltech(tmp_path, form), {**FILES, "test_fraction": 0.2})
    assert built.classes == ("Faces easy", "accordion", "yin yang")
    assert sizes(built) == {"train": 9, "validation": 3, "test": 3}
    assert built.report["not_used"]["count"] == 5
    assert built.report["not_used"]["first"][0] == "BACKGROUND_Google/image_0001.jpg"
    files = raw_data.caltech101()
    for record in everything(built):
        assert record.read() == files[f"101_ObjectCategories/{record.image_id}"]


def test_caltech_without_its_folder(tmp_path):
    path = zip_of(tmp_path / "c.zip", {"other/a/1.jpg": picture(1)})
    with pytest.raises(ValueError, match="no folder 101_ObjectCategories; name caltech-101.zip"):
        build(tmp_path, "caltech101", path, {**FILES, "test_fraction": 0.2})


# Brain tumours

PATIENTS = {
    "100360": (1, 3),
    "MR0402": (1, 3),
    "112649": (1, 2),
    "94278": (2, 3),
    "96637": (2, 3),
    "5": (3, 4),
    "6": (3, 4),
    "7": (3, 4),
}
TUMOUR = {**FILES, "test_fraction": 0.3, "validation_fraction": 0}


def tumours(tmp_path, form):
    folder = raw_data.slices(tmp_path / "slices", PATIENTS)
    files = {f.name: f.read_bytes() for f in folder.iterdir()}
    if form == "folder":
        return folder
    half = {k: v for k, v in files.items() if int(k.split(".")[0]) < 12}
    rest = {k: v for k, v in files.items() if k not in half}
    parts = {"brainTumorDataPublic_1-11.zip": half, "brainTumorDataPublic_12-26.zip": rest}
    zips = {name: zip_of(tmp_path / "zips" / name, part) for name, part in parts.items()}
    if form == "zips":
        return tmp_path / "zips"
    nested = {name: path.read_bytes() for name, path in zips.items()}
    nested |= {"cvind.mat": b"no slice", "README.txt": b"words"}
    return zip_of(tmp_path / "1512427.zip", nested)


@pytest.mark.parametrize("form", ["folder", "zips", "nested"])
def test_slices_are_split_by_patient(tmp_path, form):
    built = build(tmp_path, "brain_tumor", tumours(tmp_path, form), TUMOUR)
    assert built.classes == ("meningioma", "glioma", "pituitary tumor")
    assert built.report["patients"] == 8 and built.report["used"] == 26
    assert built.report["not_used"]["count"] == (2 if form == "nested" else 0)
    groups = {split: {r.group for r in rows} for split, rows in built.splits.items()}
    assert not groups["train"] & groups["test"] and len(groups["train"] | groups["test"]) == 8
    for split in ("train", "test"):
        counts = built.report["splits"][split]["per_class"]
        assert all(counts.values()), counts
    wanted = {r.image_id.rsplit("/")[-1]: r for r in everything(built)}
    assert wanted["9.mat"].label == 1 and wanted["9.mat"].group == "94278"
    pixels = np.random.default_rng(9).integers(0, 3000, (6, 9))
    expected = np.round((pixels - pixels.min()) / np.ptp(pixels) * 255)
    assert np.array_equal(shown(wanted["9.mat"]), expected)  # upright: not as HDF5 has it


def test_eight_bits_cover_the_whole_range():
    values = np.array([[-32768, 0, 32767], [0, 0, 0]], np.int16)
    assert eight_bits(values).tolist() == [[0, 128, 255], [128, 128, 128]]
    assert eight_bits(np.array([[0.1, 0.2]])).tolist() == [[0, 255]]
    assert not eight_bits(np.full((2, 2), 7, np.int16)).any()


def test_file_that_is_no_slice_follows_the_key(tmp_path):
    import h5py

    path = tumours(tmp_path, "folder")
    put(path / "77.mat", b"MATLAB 5.0 MAT-file")
    raw_data.slice_file(path / "78.mat", 4, "x", np.zeros((2, 3)))
    raw_data.slice_file(path / "79.mat", 3, "", np.zeros((2, 3)))
    with h5py.File(path / "80.mat", "w") as file:
        file["other"] = 1
    with pytest.raises(ValueError) as caught:
        build(tmp_path, "brain_tumor", path, TUMOUR)
    text = str(caught.value)
    assert "4 of 30 image files" in text and "77.mat: no slice in MATLAB 7.3 form" in text
    assert (
        "78.mat: cjdata/label = [4.0]; must be 1, 2 or 3" in text and "79.mat: cjdata/PID" in text
    )
    assert "80.mat: no slice" in text
    built = build(tmp_path, "brain_tumor", path, TUMOUR, unreadable="skip")
    assert built.report["used"] == 26 and built.report["skipped"]["count"] == 4
    raw_data.slice_file(path / "81.mat", 3, "x", np.zeros(3))
    with pytest.raises(ValueError, match=r"shape \(3,\) is no picture"):
        slice_png(path / "81.mat")


def test_no_slices(tmp_path):
    put(tmp_path / "x" / "README.txt", b"")
    with pytest.raises(ValueError, match="no .mat file"):
        build(tmp_path, "brain_tumor", tmp_path / "x", TUMOUR)
    with pytest.raises(FileNotFoundError, match="path = None: .*figshare"):
        build(tmp_path, "brain_tumor", None, TUMOUR)


# Folders in archives, manifests, digits


@pytest.mark.parametrize("write, name", [(zip_of, "x.zip"), (tar_of, "x.tar"), (tar_of, "x.tgz")])
@pytest.mark.parametrize("top", ["", "my data/"])
def test_image_folder_may_be_packed(tmp_path, write, name, top):
    counts = {f"{part}/{c}": 3 for part in ("train", "test") for c in "ab"}
    root = raw_data.folder(tmp_path / "raw", counts)
    files = {top + str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*.png")}
    built = build(tmp_path, "imagefolder", write(tmp_path / name, files), FOLDER)
    plain = build(tmp_path, "imagefolder", root, FOLDER)
    assert [[r.image_id for r in built.splits[s]] for s in SPLITS] == [
        [r.image_id for r in plain.splits[s]] for s in SPLITS
    ]
    assert built.report["source"] == str(tmp_path / name)


def manifest(tmp_path, text, n=12):
    for i in range(n):
        put(tmp_path / "pictures" / f"{i}.png", picture(i))
    return put(tmp_path / "list.csv", text.encode())


def rows(n=12, more=lambda i: ""):
    return "".join(f"pictures/{i}.png,{'cat' if i % 2 else 'a dog'}{more(i)}\n" for i in range(n))


def test_manifest_names_files_and_classes(tmp_path):
    path = manifest(tmp_path, "\ufeffpath,label,source\n" + rows(more=lambda i: ',"a, b"'))
    built = build(tmp_path, "csv", path, FOLDER)
    assert built.classes == ("a dog", "cat") and built.report["source"] == str(path)
    assert sizes(built) == {"train": 4, "validation": 4, "test": 4}
    for record in everything(built):
        assert record.read() == (tmp_path / record.image_id).read_bytes()
        assert record.label == int(record.image_id[9:-4]) % 2


def test_manifest_splits_are_kept(tmp_path):
    split = ("train", "train", "train", "train", "test", "test")
    path = manifest(tmp_path, "path,label,split\n" + rows(more=lambda i: f",{split[i // 2]}"))
    built = build(tmp_path, "csv", path, FOLDER)
    assert [r.image_id for r in built.splits["test"]] == [f"pictures/{i}.png" for i in range(8, 12)]
    assert sizes(built) == {"train": 6, "validation": 2, "test": 4}
    with_validation = path.read_text().replace("0.png,a dog,train", "0.png,a dog,validation")
    path.write_text(with_validation)
    built = build(tmp_path, "csv", path, FOLDER)
    assert [r.image_id for r in built.splits["validation"]] == ["pictures/0.png"]


def test_manifest_without_a_test_split_has_one_drawn(tmp_path):
    path = manifest(tmp_path, "path,label,split\n" + rows(more=lambda i: ",train"))
    assert sizes(build(tmp_path, "csv", path, FOLDER))["test"] == 4


def test_manifest_groups_stay_together(tmp_path):
    path = manifest(tmp_path, "path,label,group\n" + rows(more=lambda i: f",{i // 4}"))
    built = build(tmp_path, "csv", path, FOLDER, validation_fraction=0)
    sides = {split: {r.group for r in built.splits[split]} for split in ("train", "test")}
    assert sides["train"] | sides["test"] == {"0", "1", "2"} and len(sides["test"]) == 1
    assert not sides["train"] & sides["test"]


def test_faults_of_a_manifest_have_their_row(tmp_path):
    text = (
        "path,label,split\npictures/0.png,cat,train\npictures/gone.png,cat,train\n"
        "pictures/1.png,,test\n,dog,test\npictures/2.png,dog,tset\npictures/0.png,dog,test\n"
    )
    with pytest.raises(ValueError) as caught:
        build(tmp_path, "csv", manifest(tmp_path, text), FOLDER)
    found = str(caught.value)
    assert "list.csv: 5 fault(s):" in found
    for line in (
        "row 3: no file pictures/gone.png",
        "row 4: no label",
        "row 5: no path",
        "row 6: split = 'tset'; must be one of train, validation, test",
        "row 7: pictures/0.png is in row 2 already",
    ):
        assert f"\n  {line}" in found


@pytest.mark.parametrize(
    "text, reason",
    [
        ("file,class\na.png,b\n", "no column path or label; its columns are file, class"),
        ("", "its columns are none"),
        ("path,label\n", "no row"),
        ('path,label\n"a.png,b', "no CSV table"),
    ],
)
def test_file_that_is_no_manifest_is_refused(tmp_path, text, reason):
    with pytest.raises(ValueError, match=f"list.csv.*{reason}"):
        build(tmp_path, "csv", manifest(tmp_path, text, n=0), FOLDER)


def test_damaged_image_of_a_manifest_follows_the_key(tmp_path):
    path = manifest(tmp_path, "path,label\n" + rows())
    put(tmp_path / "pictures" / "3.png", b"")
    with pytest.raises(ValueError, match="1 of 12 image files.*\n  pictures/3.png: empty file"):
        build(tmp_path, "csv", path, FOLDER)
    assert build(tmp_path, "csv", path, FOLDER, unreadable="skip").report["used"] == 11


def test_source_digest_follows_the_files_that_a_manifest_names(tmp_path):
    path = manifest(tmp_path, "path,label\n" + rows())
    before = manifests.source_digest("csv", path)
    assert before == manifests.source_digest("csv", path) != ""
    put(tmp_path / "pictures" / "stranger.png", b"")
    assert manifests.source_digest("csv", path) == before
    put(tmp_path / "pictures" / "3.png", picture(50, size=(9, 9)))
    assert manifests.source_digest("csv", path) != before
    path.write_text("no manifest")
    assert manifests.source_digest("csv", path) not in ("", before)
    assert manifests.source_digest("csv", None) == ""
    archive = zip_of(tmp_path / "x.zip", {"a": b"1"})
    first = manifests.source_digest("imagefolder", str(archive))
    zip_of(archive, {"a": b"1", "b": b"2"})
    assert manifests.source_digest("imagefolder", str(archive)) not in ("", first)


def test_digits_are_scikit_learns(tmp_path):
    from sklearn.datasets import load_digits

    built = build(tmp_path, "digits", None, DRAWN)
    found = load_digits()
    assert built.classes[3] == "three" and built.report["found"] == 1797
    for record in built.splits["test"][:50]:
        index = int(record.image_id.removeprefix("digits/"))
        assert record.label == found.target[index]
        assert np.abs(shown(record) / 255 * 16 - found.images[index]).max() < 0.05
    assert len(built.splits["test"]) == pytest.approx(1797 / 4, abs=5)


# Hugging Face


def dataset(n, *, start=0, kind="class", suffix="PNG"):
    import datasets

    names = ["ant", "bee", "wasp"]
    label = {
        "class": datasets.ClassLabel(names=names),
        "text": datasets.Value("string"),
        "int": datasets.Value("int64"),
    }[kind]
    values = [names[i % 3] if kind == "text" else i % 3 for i in range(n)]
    data = [{"bytes": picture(start + i, suffix=suffix), "path": None} for i in range(n)]
    features = datasets.Features(
        {"id": datasets.Value("int64"), "picture": datasets.Image(), "label": label}
    )
    columns = {"id": list(range(n)), "picture": data, "label": values}
    return datasets.Dataset.from_dict(columns, features=features)


@pytest.fixture
def offline(monkeypatch):
    """Any connection fails."""
    import socket

    def refuse(*args):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_saved_splits_are_used(tmp_path, offline):
    import datasets

    splits = {"train": dataset(12), "validation": dataset(3, start=50), "unsupervised": dataset(3)}
    splits["test"] = dataset(6, start=90, suffix="JPEG")
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "hf")
    built = build(tmp_path, "huggingface", tmp_path / "hf", FOLDER)
    assert built.classes == ("ant", "bee", "wasp")
    assert sizes(built) == {"train": 12, "validation": 3, "test": 6}
    assert built.report["not_used"] == {"count": 1, "first": ["unsupervised"]}
    for record in built.splits["test"]:
        i = int(record.image_id.removeprefix("test/"))
        assert record.read() == picture(90 + i, suffix="JPEG") and record.label == i % 3


@pytest.mark.parametrize(
    "kind, classes",
    [
        ("class", ("ant", "bee", "wasp")),
        ("text", ("ant", "bee", "wasp")),
        ("int", ("0", "1", "2")),
    ],
)
def test_one_saved_data_set_is_split(tmp_path, offline, kind, classes):
    dataset(12, kind=kind).save_to_disk(tmp_path / "hf")
    built = build(tmp_path, "huggingface", tmp_path / "hf", FOLDER)
    assert built.classes == classes and sizes(built) == {"train": 6, "validation": 3, "test": 3}
    assert all(r.label == int(r.image_id[6:]) % 3 for r in everything(built))


def test_parquet_files_are_told_apart_by_name(tmp_path, offline):
    folder = tmp_path / "hub" / "data"
    folder.mkdir(parents=True)
    dataset(6).to_parquet(folder / "train-00000-of-00002.parquet")
    dataset(6, start=20).to_parquet(folder / "train-00001-of-00002.parquet")
    dataset(6, start=40).to_parquet(folder / "test-00000-of-00001.parquet")
    built = build(tmp_path, "huggingface", tmp_path / "hub", FOLDER, validation_fraction=0)
    assert sizes(built) == {"train": 12, "test": 6}
    assert built.splits["train"][7].read() == picture(21)
    dataset(6, start=60).to_parquet(folder / "test-00000-of-00001.parquet")
    again = build(tmp_path, "huggingface", tmp_path / "hub", FOLDER, validation_fraction=0)
    assert again.splits["test"][0].read() == picture(60)


def test_image_files_of_this_project_open(tmp_path, offline):
    root = raw_data.folder(tmp_path / "raw", {"a b": 12, "c": 12})
    outputs = run_script(tmp_path / "out", {**FOLDER, "path": str(root)})
    built = build(tmp_path, "huggingface", tmp_path / "out", FOLDER)
    assert built.classes == ("a b", "c")
    for split in ("train", "validation", "test"):
        table = image_tables.read(outputs[split])
        assert [r.read() for r in built.splits[split]] == image_tables.get_bytes(table)
        assert [r.label for r in built.splits[split]] == table["label"].to_pylist()
    assert sorted(built.report["not_used"]["first"]) == ["extra", "held_out", "oracle"]
    one = build(tmp_path, "huggingface", outputs["train"], FOLDER)
    assert sizes(one) == {"train": 4, "validation": 4, "test": 4}


def test_parquet_without_marks_is_opened(tmp_path, offline):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "image": pa.array([picture(i) for i in range(6)], pa.binary()),
            "label": [i % 2 for i in range(6)],
        }
    )
    pq.write_table(table, tmp_path / "plain.parquet")
    built = build(tmp_path, "huggingface", tmp_path / "plain.parquet", FOLDER)
    assert built.report["used"] == 6 and everything(built)[4].read() == picture(4)


def test_columns_are_named_where_one_is_missing(tmp_path):
    dataset(3).remove_columns("label").save_to_disk(tmp_path / "a")
    with pytest.raises(ValueError, match=r"no column of labels; .* id \(.*picture \(Image"):
        build(tmp_path, "huggingface", tmp_path / "a", FOLDER)
    dataset(3).remove_columns("picture").save_to_disk(tmp_path / "b")
    with pytest.raises(ValueError, match=r"no column of images; its columns are id"):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER)


def test_labels_that_cannot_be_used_are_refused(tmp_path):
    import datasets

    dataset(6).map(lambda row: {"label": -1}).save_to_disk(tmp_path / "a")
    with pytest.raises(ValueError, match=r"6 image\(s\) without a label"):
        build(tmp_path, "huggingface", tmp_path / "a", FOLDER)
    other = dataset(6).cast_column("label", datasets.ClassLabel(names=["bee", "ant", "wasp"]))
    both = {"train": dataset(6), "test": other}
    datasets.DatasetDict(both).save_to_disk(tmp_path / "b")
    with pytest.raises(ValueError, match="label 0 is 'ant' and 'bee'"):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER)
    datasets.DatasetDict({"test": other}).save_to_disk(tmp_path / "c")
    with pytest.raises(ValueError, match="has the splits test; one must be called train"):
        build(tmp_path, "huggingface", tmp_path / "c", FOLDER)


def test_what_is_no_data_set_is_refused(tmp_path):
    put(tmp_path / "a" / "x.txt", b"")
    with pytest.raises(ValueError, match="no .parquet file"):
        build(tmp_path, "huggingface", tmp_path / "a", FOLDER)
    bad = put(tmp_path / "x.parquet", b"PAR1 is not enough")
    with pytest.raises(ValueError, match="x.parquet cannot be opened: "):
        build(tmp_path, "huggingface", bad, FOLDER)
    put(tmp_path / "b" / "state.json", b"{}")
    with pytest.raises(ValueError, match="b cannot be opened: "):
        build(tmp_path, "huggingface", tmp_path / "b", FOLDER)


# Groups, and all loaders


def patient_records(seed, classes=3, patients=30):
    """Patients of 1 to 9 images; every fifth one has images of two classes."""
    rng = np.random.default_rng(seed)
    found = []
    for patient in range(patients):
        for i in range(rng.integers(1, 10)):
            label = (patient + (i % 2 and patient % 5 == 0)) % classes
            name = f"{patient}-{i}"
            found.append(Record(name, label, "all", name.encode(), lambda: b"", f"p{patient}"))
    return found


def test_images_without_groups_go_where_they_always_went():
    from mvc.images.splits import fraction_splits

    records = [Record(f"{i}", i % 2, "all", b"%d" % i, lambda: b"") for i in range(16)]
    cfg = {"test_fraction": 0.25, "validation_fraction": 0.2, "labels_per_class": 3}
    parts = fraction_splits(records, ("x", "y"), cfg=cfg, seed=0)
    assert {split: " ".join(r.image_id for r in rows) for split, rows in parts.items()} == PINNED


@pytest.mark.parametrize("seed", range(8))
def test_no_group_is_on_two_sides(seed):
    from mvc.images.splits import fraction_splits

    records, classes = patient_records(seed), ("x", "y", "z")
    cfg = {"test_fraction": 0.2, "validation_fraction": 0.15, "labels_per_class": 12}
    parts = fraction_splits(records, classes, cfg=cfg, seed=seed)
    assert sum(len(rows) for rows in parts.values()) == len(records)
    sides = [
        {r.group for r in parts["train"] + parts["extra"]},
        {r.group for r in parts["validation"]},
        {r.group for r in parts["test"]},
    ]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    for label in range(3):
        mine = {split: [r for r in rows if r.label == label] for split, rows in parts.items()}
        assert 0 < len(mine["train"]) <= 12
        assert not {r.group for r in mine["train"]} & {r.group for r in mine["extra"]}
        n = sum(len(rows) for rows in mine.values())
        assert abs(len(mine["test"]) - 0.2 * n) <= 9
    larger = fraction_splits(records, classes, cfg=cfg | {"labels_per_class": 30}, seed=seed)
    assert {r.image_id for r in parts["train"]} <= {r.image_id for r in larger["train"]}
    assert [r.image_id for r in larger["test"]] == [r.image_id for r in parts["test"]]


def test_groups_larger_than_the_number_wanted():
    from mvc.images.splits import fraction_splits

    def record(name, group, label=0):
        return Record(name, label, "all", name.encode(), lambda: b"", group)

    big = [record(f"{g}{i}", g) for g in "ab" for i in range(9 if g == "a" else 5)]
    other = [record(f"c{i}", "", 1) for i in range(10)]
    cfg = {"test_fraction": 0.1, "validation_fraction": 0, "labels_per_class": None}
    parts = fraction_splits(big + other, ("x", "y"), cfg=cfg, seed=0)
    assert {r.group for r in parts["test"] if r.label == 0} == {"b"}  # the smaller one
    with pytest.raises(ValueError, match=r"labels_per_class = 4; must be >= 9, .*group 'a'.*'x'"):
        fraction_splits(big + other, ("x", "y"), cfg=cfg | {"labels_per_class": 4}, seed=0)


def test_group_that_the_source_has_on_two_sides_is_told(tmp_path):
    split = ("train", "train", "train", "train", "test", "test")
    text = "path,label,split,group\n" + rows(more=lambda i: f",{split[i // 2]},{i % 10}")
    report = build(tmp_path, "csv", manifest(tmp_path, text), FOLDER).report
    assert any(
        w.startswith("2 group(s) are on two sides") and "'0', '1'" in w for w in report["warnings"]
    )


def test_every_loader_has_its_report_written(tmp_path, monkeypatch):
    """The whole stage on each: five splits, an image of every class in training and test."""
    paths = {
        "fashion_mnist": raw_data.fashion(tmp_path / "fashion"),
        "cifar10": tar_of(tmp_path / "c10.tar.gz", raw_data.cifar10()),
        "cifar100": tar_of(tmp_path / "c100.tar.gz", raw_data.cifar100()),
        "tiny_imagenet": zip_of(tmp_path / "t.zip", raw_data.tiny_imagenet()),
        "caltech101": caltech(tmp_path, "zip"),
        "brain_tumor": tumours(tmp_path, "nested"),
        "imagefolder": raw_data.folder(tmp_path / "raw", {"a": 9, "b": 9}),
        "csv": manifest(tmp_path, "path,label\n" + rows()),
        "huggingface": tmp_path / "hf",
        "digits": None,
    }
    dataset(12).save_to_disk(paths["huggingface"])
    assert paths.keys() == LOADERS.keys()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fashion_mnist, "POOL", 100)
    for loader, path in paths.items():
        sized = loader == "fashion_mnist"
        cfg = {**(raw_data.FASHION if sized else FOLDER), "loader": loader}
        cfg["path"] = str(path) if path else None
        outputs = run_script(tmp_path / "out" / loader, cfg)
        report = json.loads((tmp_path / "out" / loader / "report.json").read_text())
        assert report["loader"] == loader and report["used"] <= report["found"]
        labels = [
            set(image_tables.read(outputs[s])["label"].to_pylist()) for s in ("train", "test")
        ]
        assert labels[0] == labels[1] == set(range(len(report["classes"])))
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["unpacked"]
