"""The whole workflow on the real architectures: config/photos.yaml, its names unchanged, offline.

The hub's cache is filled with random weights: CLIP, VAE and ResNet-50 whole, BLIP-2 and the U-Net
at their real widths with few layers. `make test-real` runs it: minutes on two cores, and MEMORY.
"""

import csv
import re
import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import real_shapes
import yaml
from diffusers import UNet2DConditionModel
from hub import move_to_cache
from mvc.core import image_tables
from mvc.core.decoding import decode
from PIL import Image, ImageDraw
from project_tree import REPO, copy_parts
from safetensors import safe_open
from safetensors.torch import load_file
from workflow_run import snakemake

MEMORY = 10  # GB: the largest job has at most so much, and the test begins with so much free
DISK = 20  # GB
FREE = int(re.search(r"MemAvailable: +(\d+)", Path("/proc/meminfo").read_text())[1]) / 1e6
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(FREE < MEMORY, reason=f"{FREE:.0f} GB of memory free; needs {MEMORY}"),
]

SIDE = 64
PHOTOS = 8  # of each class
TRAIN, MADE = 4, 8  # training images of both classes, synthetic ones of a generator
SHORT = """
images: {labels_per_class: 2}
captions: {max_new_tokens: 4, num_beams: 2}
banks: {per_real: 2}
unet: {resolution: 64, steps: 2, steps_per_image: null, batch_size: 2, warmup_steps: 0}
synthetic: {steps: 2, shards: 1}
classifiers: {seeds: [0], resolution: 64, pad: 8, steps: 2, batch_size: 4, per_real: 1}
estimate: {seconds: 0.5}
figures: {classes: 2, images: 1, samples: {classes: 2, per_class: 1, steps: 2, scale: 2.0}}
"""
ARMS = {"aa": None, "aa+syn": None}  # taken out, since they cost what ra and ra+syn do
CLIP = "timm/vit_large_patch14_clip_224.openai"  # where open_clip has ViT-L-14-quickgelu/openai
NETWORK = "timm/resnet50.a1_in1k"
TARGETS = ("models", "rehearsal", "estimate", "results/photos/augmented", "tables")


@dataclass(frozen=True)
class Ran:
    """What a user is left with: the project's folder, and what the commands printed."""

    folder: Path
    hub: Path
    said: dict[str, str]
    seconds: float
    memory: float  # GB, of the largest job

    def read(self, file: str) -> list[dict[str, str]]:
        with open(self.folder / "results/photos" / file, encoding="utf-8") as opened:
            return list(csv.DictReader(opened))


def write_models(home: Path) -> None:
    """What `snakemake models` leaves in HF_HOME."""
    names = yaml.safe_load((REPO / "config/photos.yaml").read_text(encoding="utf-8"))["models"]
    making = home / "making"
    for name, write in {
        names["captioner"]: lambda folder: real_shapes.blip2(folder, layers=2),
        CLIP: real_shapes.clip,
        names["diffusion"]: lambda folder: real_shapes.stable_diffusion(folder, layers=1),
        NETWORK: lambda folder: real_shapes.classifier(folder, "resnet50"),
    }.items():
        making.mkdir(parents=True)
        write(making)
        move_to_cache(making, home, name)
        shutil.rmtree(making)


def draw_photos(folder: Path) -> None:
    """Oblong JPEG files of two classes: discs and squares, each of its own colour and place."""
    rng = np.random.default_rng(0)
    for name, shape in (("disc", "ellipse"), ("square", "rectangle")):
        (folder / name).mkdir(parents=True)
        for number in range(PHOTOS):
            ground, colour = (tuple(map(int, rng.integers(0, 256, 3))) for _ in range(2))
            picture = Image.new("RGB", (200, 150), ground)
            x, y, size = map(int, rng.integers((10, 10, 60), (80, 60, 90)))
            getattr(ImageDraw.Draw(picture), shape)((x, y, x + size, y + size), fill=colour)
            picture.save(folder / name / f"{number}.jpg")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The commands of docs/real-models.md in the order of a user, on this machine without a GPU."""
    root = tmp_path_factory.mktemp("real")
    if (free := shutil.disk_usage(root).free / 1e9) < DISK:
        pytest.skip(f"{free:.0f} GB of disk free; needs {DISK}")
    home, folder = root / "home", root / "project"
    write_models(home)
    copy_parts(REPO, folder)
    draw_photos(folder / "photos")
    short = yaml.safe_load(SHORT)
    short["classifiers"]["arms"] = ARMS
    (folder / "config/short.yaml").write_text(yaml.safe_dump(short), encoding="utf-8")
    offline = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    configs = ("--configfile", "config/photos.yaml", "config/short.yaml")
    start, said = time.perf_counter(), {}
    for target in TARGETS:
        one_gpu = ("--resources", "gpu=1", *configs, "--", target)
        said[target] = snakemake(folder, *one_gpu, timeout=3000, **offline)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    print(f"\n{seconds:.0f} s; {memory:.1f} GB in the largest job")
    yield Ran(folder, home / "hub", said, seconds, memory)
    shutil.rmtree(root)


def test_models_lists_the_files_that_are_read(ran):
    page = ran.said["models"]
    assert "in all, and nothing is missing" in page
    for name in ("Salesforce/blip2-opt-2.7b", CLIP, NETWORK, "unet/diffusion_pytorch_model"):
        assert name in page, name


def test_rehearsal_measures_every_stage(ran):
    page = (ran.folder / "results/photos/rehearsal.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) +\|", page, re.MULTILINE)
    assert rows[1:] == ["captions", "embeddings", "unet", "synthetic", "classifiers", "all"]
    assert page.strip() in ran.said["rehearsal"]


def test_estimate_counts_and_repeats_the_rehearsal(ran):
    page = ran.said["estimate"]
    assert "photos, by its rehearsal" in page and "lora, rank 16" in page


def test_terminal_names_the_stages(ran):
    said = "".join(ran.said.values())
    stages = "images pixels captions embeddings banks unet synthetic augmented_set classifiers"
    for stage in [*stages.split(), "table", "figure1", "figure2", "figure5", "figure6"]:
        assert re.search(rf"^(local)?rule {stage}:$", said, re.MULTILINE), stage
    assert "results/photos/tables/table1.md" in ran.said["tables"]
    assert "Traceback" not in said


def test_captions_and_embeddings_have_their_shapes(ran):
    captions = image_tables.read(ran.folder / "results/photos/captions.parquet")
    prompts = captions["prompt"].to_pylist()
    assert len(prompts) == TRAIN and all(p.startswith("This is an image of ") for p in prompts)
    states = load_file(ran.folder / "results/photos/embeddings.safetensors")
    assert states["tokens"].shape == (TRAIN, 77, 768) and states["null"].shape == (77, 768)


def test_unet_is_a_plain_one_with_its_adapters_merged(ran):
    folder = ran.folder / "results/photos/unet"
    unet, said = UNet2DConditionModel.from_pretrained(folder, output_loading_info=True)
    assert not said["missing_keys"] and not said["unexpected_keys"]
    assert unet.config.in_channels == 8 and unet.config.cross_attention_dim == 768
    (base,) = ran.hub.glob("*stable-diffusion*/snapshots/*/unet/*.safetensors")
    with safe_open(base, "pt") as before:
        trained = {
            name: not value.equal(before.get_tensor(name).float())
            for name, value in unet.state_dict().items()
            if name != "conv_in.weight"
        }
    assert all(np.isfinite(value).all() for value in unet.state_dict().values())
    adapted = re.compile(r"to_(q|k|v|out\.0)\.weight$|^conv_in\.bias$")
    assert trained == {name: bool(adapted.search(name)) for name in trained}
    assert unet.conv_in.weight[:, 4:].any(), "the channels of the image were trained"


def test_synthetic_images_are_pictures(ran):
    shards = sorted((ran.folder / "results/photos/synthetic").glob("*/0-of-1.parquet"))
    assert [shard.parent.name for shard in shards] == ["finetuned", "pretrained"]
    for shard in shards:
        table = image_tables.read(shard)
        pixels = [np.asarray(decode(file)) for file in image_tables.get_bytes(table)]
        assert len(pixels) == MADE and {p.shape for p in pixels} == {(SIDE, SIDE, 3)}
        assert len({p.tobytes() for p in pixels}) == MADE and min(p.std() for p in pixels) > 1
        chances = np.array(table["clip_probability"].to_pylist())
        assert np.isfinite(chances).all() and chances.min() >= 0 and chances.max() <= 1


def test_augmented_is_a_folder_to_train_on(ran):
    folder = ran.folder / "results/photos/augmented/train"
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["disc", "square"]
    made = [*folder.glob("*/synthetic-*")]
    assert len(made) == TRAIN and len([*folder.glob("*/*")]) == 2 * TRAIN, "one per real image"
    for file in made:
        with Image.open(file) as image:
            assert image.size == (SIDE, SIDE)


def test_tables_and_figures_are_whole(ran):
    (row,) = ran.read("tables/table1.csv")
    assert row["dataset"] == "photos" and row["model"] == "resnet50"
    runs = ran.read("tables/table1_runs.csv")
    assert {run["arm"] for run in runs} == {"baseline", "ra", "syn", "ra+syn"}
    for name in ("figure1", "figure2", "figure5", "figure6"):
        with Image.open(ran.folder / f"results/photos/figures/{name}.png") as image:
            image.verify()


def test_jobs_stay_within_the_memory(ran):
    assert ran.memory < MEMORY, f"{ran.memory:.1f} GB"
