"""The fine-tuning stage on tiny inputs on disk, its script run as Snakemake runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

TESTS = Path(__file__).parent
SCRIPTS = TESTS.parent / "workflow/scripts"
LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
CFG = dict(
    resolution=32,
    steps=8,
    steps_per_image=None,
    train="full",
    rank=4,
    batch_size=4,
    optimizer="adamw",
    learning_rate=1e-3,
    schedule="cosine",
    warmup_steps=2,
    weight_decay=0.01,
    max_grad_norm=1.0,
    ema_decay=0.9,
    pairing="class",
    text="bank",
    flip=True,
    early_stop=None,
    seed=0,
    dropout={"text": 0.1, "image": 0.1, "both": 0.1},
)
MEMORY = dict(micro_batch="auto", checkpointing=0, ema_device="auto")
WATCH = dict(
    validation={"every": None, "pairs": 4},
    sample_every=None,
    tracker=None,
    samples={"classes": 2, "per_class": 2, "steps": 2, "scale": 2.0},
)
INPUTS = dict(
    images="train.parquet",
    validation="validation.parquet",
    held_out="held_out.parquet",
    embeddings="embeddings.safetensors",
    bank="bank.parquet",
)
OUTPUTS = dict(
    config="config.json",
    weights="diffusion_pytorch_model.safetensors",
    losses="loss.csv",
)
# What Snakemake puts before a script: its folder and its object; the file's own name.
PREAMBLE = """import sys
sys.path[:0] = [{scripts!r}, {tests!r}]
import tuning
snakemake = tuning.job(*{job!r})
__file__ = {script!r}
"""


def inputs(folder: Path) -> None:
    """Eight images of two classes with embeddings, bank and a tiny Stable Diffusion."""
    import tiny
    import torch
    from mvc.banks import mixing
    from mvc.banks.recipes import tabulate_recipes
    from mvc.core import image_tables
    from safetensors.torch import save_file

    tiny.stable_diffusion(folder / "stable-diffusion")
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (len(LABELS), 3, 32, 32), generator=rng, dtype=torch.uint8)
    table = make_table(pixels, "train")
    tokens = torch.randn(len(LABELS), 7, tiny.TEXT, generator=rng).half()
    counts = {label: 2 * LABELS.count(label) for label in LABELS}
    options = dict(counts=counts, coarse=1, fine=2, rows="all", base="uniform", seed=0)
    width = torch.full((len(LABELS),), 7)
    rows = [*mixing.mix_classes(LABELS, tokens, width, **options)]
    held_out = table.slice(0, 0).append_column("split", table["image_id"].slice(0, 0))
    save_file({"tokens": tokens, "null": tokens[0] * 0}, folder / INPUTS["embeddings"])
    image_tables.write(table, folder / INPUTS["images"])
    image_tables.write(make_table(pixels.flip(0), "validation"), folder / INPUTS["validation"])
    image_tables.write(held_out, folder / INPUTS["held_out"])
    image_tables.write(tabulate_recipes(rows, [0.0] * len(rows)), folder / INPUTS["bank"])


def make_table(pixels, split: str):
    """A table of images of the two classes."""
    from mvc.core import image_tables
    from mvc.core.pixels import encode

    return image_tables.build_table(
        data=encode(pixels, grayscale=False),
        labels=LABELS,
        class_names=[f"class {label}" for label in LABELS],
        image_ids=[f"{split}/{i}" for i in range(len(LABELS))],
    )


class Named(list):
    """A list of files, each also an attribute."""

    def __init__(self, **files: str):
        super().__init__(files.values())
        self.__dict__.update(files)


def job(
    folder: str, out: str, processes: int, cfg: dict, watch: dict | None = None
) -> SimpleNamespace:
    """What Snakemake would hand to the script."""
    input_files = {name: f"{folder}/{file}" for name, file in INPUTS.items()}
    output_files = {name: f"{out}/{file}" for name, file in OUTPUTS.items()}
    return SimpleNamespace(
        input=Named(**input_files),
        output=Named(**output_files),
        params=SimpleNamespace(
            cfg={**CFG, "diffusion": f"{folder}/stable-diffusion", **cfg}, code=""
        ),
        resources=SimpleNamespace(gpu=processes, watch=json.dumps(WATCH | (watch or {})), **MEMORY),
        threads=processes,
        log=[f"{out}/unet.log"],
    )


def start(
    folder: Path, out: Path, processes: int = 1, watch: dict | None = None, **cfg
) -> subprocess.Popen:
    """Start the script in a process of its own; its log is `unet.log` in the folder `out`."""
    out.mkdir(exist_ok=True)
    script = SCRIPTS / "unet.py"
    described = (str(folder), str(out), processes, cfg, watch)
    head = PREAMBLE.format(
        scripts=str(SCRIPTS), tests=str(TESTS), job=described, script=str(script)
    )
    copy = out / "unet-copy.py"
    copy.write_text(head + script.read_text(encoding="utf-8"), encoding="utf-8")
    return subprocess.Popen([sys.executable, str(copy)], stderr=subprocess.PIPE, text=True)


def log(out: Path) -> str:
    file = out / "unet.log"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Exit status of a script, and what it printed besides its log."""
    printed = process.communicate(timeout=300)[1]
    return process.returncode, printed


def fail_in_second(number: int | None) -> None:
    """Fail in the second of two processes; without a number, by a signal as of the system."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    print(f"at work with {torch.get_num_threads()} thread")
    if dist.get_rank() == 1:
        if number is None:
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError(f"no luck with {number}")
    dist.barrier()
