"""The examples of docs/python.md and the notebook run as they stand."""

import re
import shutil
import time
from pathlib import Path

import mvc
import nbformat
import numpy as np
import pytest
from mvc.classifiers.folder import write_folder
from mvc.classifiers.kept import Description
from mvc.training import networks
from PIL import Image
from project_tree import REPO
from safetensors.torch import save_file
from toy import generator

pytestmark = pytest.mark.slow
MINUTES = 2  # that the notebook may take, as docs/mvc.ipynb says


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with what the examples read of the repository, which they may write to."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/images").symlink_to(REPO / "docs/images")
    (tmp_path / "resources").symlink_to(REPO / "resources")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_blocks(blocks: list[str], names: dict | None = None) -> dict:
    """Run blocks of code in one namespace, and return it; an error shows the block's first line."""
    names = {} if names is None else names
    for block in blocks:
        exec(compile(block, block.partition("\n")[0], "exec"), names)
    return names


def write_results(names: dict) -> None:
    """The results that the examples read, of what those before them have made."""
    results = Path("results/fashion-mnist-few")
    results.mkdir(parents=True)
    names["bank"].drop(columns="class_name").to_parquet(results / "bank.parquet")
    save_file(names["embeddings"], results / "embeddings.safetensors")
    shutil.copytree(names["unet"], results / "unet")
    net = networks.build("wrn-10-1", 2, size=(28, 28), generator=generator()).net
    facts = {"mean": [73.0] * 3, "std": [90.0] * 3, "grayscale": True}
    described = Description("wrn-10-1", None, ["Bag", "Sneaker"], size=[28, 28], **facts)
    record = {"dataset": "fashion-mnist-few"}
    write_folder(net.state_dict(), described, results / "classifier", fit="crop", record=record)


def test_examples_of_python_md_run_in_order(clone, built):
    """The last one, which takes a shard, takes the built project's."""
    text = (REPO / "docs/python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    names = run_blocks(blocks[:4])
    assert names["mixed"].shape == (40, 77, 128)
    assert len(list(clone.glob("*-*.png"))) == 20
    write_results(names)
    run_blocks(blocks[4:-1], names)
    assert len(names["images"]) == 2 and len(names["table"]) == 10
    names["results"] = built / "results/photos"
    run_blocks(blocks[-1:], names)
    assert isinstance(names["image"], Image.Image)


def test_python_md_lists_the_functions_of_the_face():
    text = (REPO / "docs/python.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `mvc\.(\w+)` \|", text, re.MULTILINE)
    assert listed == mvc.__all__


def test_the_notebook_goes_from_ten_images_to_generated_ones(clone, monkeypatch):
    notebook = nbformat.read(REPO / "docs/mvc.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells), (
        "tracked without outputs"
    )
    monkeypatch.chdir(clone / "docs")
    started = time.process_time()
    names = run_blocks([cell.source for cell in cells])
    seconds = time.process_time() - started
    assert len(names["photos"]) == 10 and len(names["generated"]) == 160
    assert names["found"]["kept"].sum() == 40
    pixels = [np.asarray(image).std() for image in names["generated"]]
    assert np.mean(np.array(pixels) > 20) > 0.9, "pictures, neither blank nor of one colour"
    assert seconds < 60 * MINUTES
