"""The size of a bank of recipes, against that of the mixed embeddings that they describe.

    python benchmarks/bank_size.py [--classes 10 --captions 10 --per-real 16 --width 768]

Both are written as the pipeline writes them: `bank.parquet`, and the embeddings as `export` writes
them in float16, and in float32. To make embeddings, the bank also needs the captions' embeddings,
which the pipeline stores anyway: the last comparison counts them with the bank.
"""

import argparse
import contextlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

import torch
from mvc.banks.change import measure_changes
from mvc.banks.export import INDEX, write_shards
from mvc.banks.mixing import materialise, mix_classes
from mvc.banks.recipes import stack_recipes, tabulate_recipes
from mvc.core import image_tables
from race import parse_options, report
from safetensors.torch import save_file

TOKENS = 77
GOAL = 1000.0


def draw_bank(options: argparse.Namespace) -> tuple[torch.Tensor, list[dict]]:
    """Random embeddings of captions, and the recipes of every class."""
    labels = [c for c in range(options.classes) for _ in range(options.captions)]
    tokens = torch.randn(len(labels), TOKENS, options.width)
    drawn = mix_classes(
        labels,
        tokens,
        torch.full((len(labels),), TOKENS),
        counts=dict.fromkeys(labels, options.captions * options.per_real),
        coarse=2,
        fine=8,
        rows="all",
        base="uniform",
        seed=0,
    )
    return tokens, list(drawn)


def measure_sizes(tokens: torch.Tensor, rows: list[dict], folder: Path) -> dict[str, int]:
    """Write the bank and its embeddings, and return the bytes of each."""
    recipes = stack_recipes(rows)
    with contextlib.redirect_stdout(None):
        changes = measure_changes(tokens, recipes).tolist()
    image_tables.write(tabulate_recipes(rows, changes), folder / "bank.parquet")
    save_file({"tokens": tokens.half()}, folder / "captions.safetensors")
    write_shards(folder / f"bank{INDEX}", recipes, tokens, tokens[0], columns={})
    save_file({"tokens": materialise(tokens, recipes)}, folder / "float32.safetensors")
    patterns = dict(bank="bank.parquet", captions="captions.*", half="bank-*", full="float32.*")
    return {
        name: sum(file.stat().st_size for file in folder.glob(pattern))
        for name, pattern in patterns.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--captions", type=int, default=10, help="per class")
    parser.add_argument("--per-real", type=int, default=16, help="recipes per caption")
    parser.add_argument("--width", type=int, default=768)
    options = parse_options(parser, captions=3, width=16)
    tokens, rows = draw_bank(options)
    with TemporaryDirectory() as folder:
        sizes = measure_sizes(tokens, rows, Path(folder))
    of = f"{len(rows):,} mixed embeddings of {TOKENS} x {options.width}"
    bank, half, full = sizes["bank"], sizes["half"], sizes["full"]
    shared = dict(of=of, unit="B")
    here = dict(ours="`bank.parquet`", ours_size=bank, goal=GOAL)
    report(options, **shared, **here, other="stored in float16", other_size=half)
    report(options, **shared, **here, other="stored in float32", other_size=full)
    both = dict(ours="with the captions' embeddings", ours_size=bank + sizes["captions"])
    report(options, **shared, **both, other="stored in float16", other_size=half)


if __name__ == "__main__":
    main()
