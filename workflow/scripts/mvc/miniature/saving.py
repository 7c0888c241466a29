"""Files of the miniature models: weights, and what their rules hand to each other."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mvc.core import image_tables
from mvc.core.atomic import apply_umask, atomic
from mvc.core.checkpoint import name_checkpoint, remove_checkpoints
from mvc.miniature.corpus import Corpus
from mvc.training.resuming import Checkpoint


def save_corpus(corpus: Corpus, pixels: str | Path, captions: str | Path) -> None:
    """Save images as safetensors; captions, labels, styles and sources as Parquet."""
    save_tensors({"images": corpus.images}, pixels)
    columns = ("captions", "labels", "styles", "sources")
    image_tables.write(pa.table({name: getattr(corpus, name) for name in columns}), captions)


def load_corpus(pixels: str | Path, captions: str | Path) -> Corpus:
    """Load a corpus that `save_corpus` wrote."""
    table = pq.read_table(captions)
    arrays = [table[name].to_numpy() for name in ("labels", "styles", "sources")]
    return Corpus(load_file(pixels)["images"], table["captions"].to_pylist(), *arrays)


def save_tensors(tensors: dict[str, Tensor], path: str | Path) -> None:
    """Save safetensors."""
    with atomic(path) as temporary:
        save_file({name: t.contiguous() for name, t in tensors.items()}, temporary)


def save_json(content: dict, path: str | Path) -> None:
    """Save indented JSON."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def save_model(model: nn.Module, folder: str | Path) -> None:
    """Save a diffusers or transformers model in half precision, in its library's format."""
    copy.deepcopy(model).half().save_pretrained(folder)
    for path in Path(folder).glob("*.safetensors"):
        apply_umask(path)


def save_clip(model: nn.Module, config: dict, folder: str | Path) -> None:
    """Save an open_clip model in half precision, in the format of `local-dir:`."""
    state = {name: value.half() for name, value in model.state_dict().items()}
    save_tensors(state, Path(folder) / "open_clip_model.safetensors")
    save_json(config, Path(folder) / "open_clip_config.json")


def make_saver(
    path: str | Path, save: Callable[[Path], None], measure: Callable[[], dict] = dict
) -> Callable[..., None]:
    """Make a function that saves a model into the folder of `path` and prints its quality.

    Called with a step, during training, it saves into the subfolder `partial`, which is no output
    of a rule and so survives a failed or stopped training.
    """

    def keep(step: int | None = None) -> None:
        folder = Path(path).parent / ("partial" if step else "")
        folder.mkdir(parents=True, exist_ok=True)
        save(folder)
        print(f"saved {f'after step {step}' if step else 'the final weights'}", measure())

    return keep


@contextmanager
def open_training(snakemake, keep: Callable[..., None]) -> Iterator[dict]:
    """Open the training of a job, which goes on from the checkpoint of a stopped one.

    After the block the model is saved, and what is left of checkpoints removed.

    Args:
        snakemake: the job, with a file `output.weights` and the settings `cfg["training"]`.
        keep: by `make_saver`.

    Yields:
        Arguments of `training.run`, and the `generator` that its batches are drawn from.
    """
    cfg, output = snakemake.params.cfg, snakemake.output.weights
    generator = torch.Generator().manual_seed(cfg["seed"])
    depends = {"cfg": cfg, "code": snakemake.params.code}
    with Checkpoint(name_checkpoint(output, depends, snakemake.input), generator) as checkpoint:
        yield {
            "generator": generator,
            "checkpoint": checkpoint,
            "keep": keep,
            **cfg["training"],
        }
        keep()
    remove_checkpoints(output)


def save_captioner(model: nn.Module, processor, folder: str | Path) -> None:
    """Save a BLIP-2 in half precision, without a class head, and its processor."""
    state = {k: v.half() for k, v in model.state_dict().items() if not k.startswith("head.")}
    model.save_pretrained(folder, state_dict=state)
    processor.save_pretrained(folder)
    for path in Path(folder).iterdir():
        apply_umask(path)


def save_pipeline(scheduler, index: dict, folder: str | Path) -> None:
    """Save what a Stable Diffusion folder has besides its models."""
    scheduler.save_pretrained(Path(folder) / "scheduler")
    save_json(index, Path(folder) / "model_index.json")


def load_parts(inputs, foundation: dict[str, int]) -> tuple[Corpus, Corpus]:
    """Load the corpus in two parts: pictures to train on, and those of held-out garments.

    Args:
        inputs: has `pixels` and `captions`, the corpus' files.
        foundation: `images`, the number of garments; `holdout`, how many of the last are held
            out.
    """
    corpus = load_corpus(inputs.pixels, inputs.captions)
    trained = corpus.sources < foundation["images"] - foundation["holdout"]
    return corpus.select(trained), corpus.select(~trained)
