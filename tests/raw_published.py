"""Tiny versions of the published data sets that tests write, each in its own format."""

import io
import pickle
from pathlib import Path

import numpy as np
from raw_data import picture, tar_of, write_files, zip_of


class Python2(pickle._Pickler):
    """Writes pickles as Python 2 did, in which CIFAR is published: text and bytes are one."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_text(self, value):
        data = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + len(data).to_bytes(4, "little") + data)
        self.memoize(value)

    def save_global(self, value, name=None):
        module = "numpy" if isinstance(value, type) else "numpy.core.multiarray"
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_text
    dispatch[type] = dispatch[type(len)] = save_global


def python2_pickle(value: object) -> bytes:
    buffer = io.BytesIO()
    Python2(buffer, protocol=2).dump(value)
    return buffer.getvalue()


def cifar_arrays(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n distinct images as CIFAR's rows of 3,072 bytes, and their labels 0..k-1 in turn."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)
    return pixels, np.arange(n) % k


def cifar10(*, binary: bool = False, n: int = 20) -> dict[str, bytes]:
    """The files of CIFAR-10, with n images a batch, by name in its archive."""
    names = [f"class_{i}" for i in range(10)]
    files = {}
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        pixels, labels = cifar_arrays(n, 10, seed=i)
        if binary:
            rows = np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1)
            files[f"cifar-10-batches-bin/{name}.bin"] = rows.tobytes()
        else:
            batch = {
                "batch_label": f"batch {i}",
                "labels": labels.tolist(),
                "data": pixels,
                "filenames": [f"{j}.png" for j in range(n)],
            }
            files[f"cifar-10-batches-py/{name}"] = python2_pickle(batch)
    if binary:
        files["cifar-10-batches-bin/batches.meta.txt"] = "\n".join([*names, ""]).encode()
    else:
        meta = {"num_cases_per_batch": n, "label_names": names, "num_vis": 3072}
        files["cifar-10-batches-py/batches.meta"] = python2_pickle(meta)
    return files


def cifar100(*, binary: bool = False, n: int = 300) -> dict[str, bytes]:
    """The files of CIFAR-100, n training and n / 3 test images; coarse labels 0..19."""
    names = {"coarse": [f"group_{i}" for i in range(20)], "fine": [f"a_b_{i}" for i in range(100)]}
    files = {}
    for part, m in (("train", n), ("test", n // 3)):
        pixels, fine = cifar_arrays(m, 100, seed=m)
        if binary:
            labels = np.stack([fine % 20, fine], axis=1).astype(np.uint8)
            rows = np.concatenate([labels, pixels], axis=1)
            files[f"cifar-100-binary/{part}.bin"] = rows.tobytes()
        else:
            batch = {
                "filenames": [f"{j}.png" for j in range(m)],
                "batch_label": part,
                "fine_labels": fine.tolist(),
                "coarse_labels": (fine % 20).tolist(),
                "data": pixels,
            }
            files[f"cifar-100-python/{part}"] = python2_pickle(batch)
    if binary:
        for kind, lines in names.items():
            text = "\n".join([*lines, ""]).encode()
            files[f"cifar-100-binary/{kind}_label_names.txt"] = text
    else:
        meta = {f"{kind}_label_names": lines for kind, lines in names.items()}
        files["cifar-100-python/meta"] = python2_pickle(meta)
    return files


TINY_WORDS = {
    "n02124075": "Egyptian cat",
    "n02963159": "cardigan",
    "n02113186": "cardigan, Cardigan Welsh corgi",
    "n99999999": "not among the chosen",
}


def tiny_imagenet(n: int = 4) -> dict[str, bytes]:
    """The files of Tiny ImageNet for three classes, n training and n / 2 test images each."""
    top, ids, seed = "tiny-imagenet-200", list(TINY_WORDS)[:3], 0
    words = "".join(f"{i}\t{name}\n" for i, name in TINY_WORDS.items())
    files = {f"{top}/wnids.txt": "\n".join(ids).encode(), f"{top}/words.txt": words.encode()}
    notes, k = [], 0
    for i in ids:
        files[f"{top}/train/{i}/{i}_boxes.txt"] = b"0.JPEG\t0\t0\t9\t9\n"
        for j in range(n):
            files[f"{top}/train/{i}/images/{i}_{j}.JPEG"] = picture(seed, suffix="JPEG")
            seed += 1
        for _ in range(n // 2):
            files[f"{top}/val/images/val_{k}.JPEG"] = picture(seed, suffix="JPEG")
            notes.append(f"val_{k}.JPEG\t{i}\t0\t0\t9\t9\n")
            seed, k = seed + 1, k + 1
    files[f"{top}/test/images/test_0.JPEG"] = picture(seed, suffix="JPEG")
    return files | {f"{top}/val/val_annotations.txt": "".join(notes).encode()}


def caltech101(n: int = 5) -> dict[str, bytes]:
    """The class folders of Caltech-101, three of them and the background, n images each."""
    names = ("BACKGROUND_Google", "Faces_easy", "accordion", "yin_yang")
    return {
        f"101_ObjectCategories/{name}/image_{j + 1:04}.jpg": picture(100 * i + j, suffix="JPEG")
        for i, name in enumerate(names)
        for j in range(n)
    }


def slice_file(path: Path, label: int, patient: str, pixels: np.ndarray) -> Path:
    """A MATLAB 7.3 file as MATLAB writes it: HDF5 behind a block of 512 bytes, columns first."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("cjdata")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        codes = np.array([[ord(letter)] for letter in patient], np.uint16)
        border = np.zeros((1, 8))
        for name, value in (
            ("PID", codes),
            ("image", pixels.T.astype(np.int16)),
            ("label", np.array([[float(label)]])),
            ("tumorBorder", border),
            ("tumorMask", np.zeros_like(pixels.T, np.uint8)),
        ):
            group.create_dataset(name, data=value)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
    return path


def slices(folder: Path, patients: dict[str, tuple[int, int]]) -> Path:
    """Slices by patient: label and number; numbered as the published ones, 1.mat and on."""
    number = 0
    for patient, (label, n) in patients.items():
        for _ in range(n):
            number += 1
            pixels = np.random.default_rng(number).integers(0, 3000, (6, 9))
            slice_file(folder / f"{number}.mat", label, patient, pixels)
    return folder


def caltech101_at(tmp_path: Path, form: str) -> Path:
    """Caltech-101 as `zip`, `tar.gz`, or a folder: the one `inside`, or the one `above`."""
    files = caltech101()
    inner = tar_of(tmp_path / "101_ObjectCategories.tar.gz", files)
    if form == "tar.gz":
        return inner
    if form == "zip":
        nested = {"caltech-101/101_ObjectCategories.tar.gz": inner.read_bytes()}
        return zip_of(tmp_path / "caltech-101.zip", nested | {"caltech-101/Annotations.tar": b"?"})
    folder = write_files(tmp_path / "c", files)
    return folder if form == "above" else folder / "101_ObjectCategories"


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


def tumours(tmp_path: Path, form: str) -> Path:
    """Slices in a `folder`, in `zips`, or in an archive of zips (`nested`)."""
    folder = slices(tmp_path / "slices", PATIENTS)
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
