"""Mixed embeddings by `materialise`, against the literal loop of Algorithm 1.

python benchmarks/mixing.py [--captions 50 --recipes 256 --width 768]
"""

import argparse
import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

import torch
from mvc.banks.mixing import materialise, mix
from mvc.banks.recipes import Recipes, stack_recipes
from mvc.core.device import pick_device
from race import parse_options, race


def mix_literally(tokens: torch.Tensor, rows: list[dict]) -> torch.Tensor:
    """Algorithm 1 one embedding and one edit at a time, by tensor slices."""
    mixed = []
    for row in rows:
        e = tokens[row["base"]].clone()
        for edit in row["coarse"]:
            part = slice(edit["first"], edit["last"] + 1)
            e[part] = tokens[edit["donor"], part]
        for edit in row["fine"]:
            part = slice(edit["first"], edit["last"] + 1)
            e[edit["row"], part] = tokens[edit["donor"], edit["row"], part]
        mixed.append(e)
    return torch.stack(mixed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=50)
    parser.add_argument("--recipes", type=int, default=256)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--coarse", type=int, default=2)
    parser.add_argument("--fine", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=10)
    options = parse_options(parser, captions=5, recipes=8, width=16, repeats=1)
    device = pick_device()
    tokens = torch.randn(options.captions, 77, options.width, device=device)
    draw = dict(rows=(0, 76), width=options.width, base="uniform", seed=0, first_id=0)
    edits = dict(coarse=options.coarse, fine=options.fine)
    rows = [*mix(range(options.captions), count=options.recipes, **edits, **draw)]
    stacked = stack_recipes(rows)
    fields = (getattr(stacked, field.name) for field in dataclasses.fields(stacked))
    recipes = Recipes(*(tensor.to(device) for tensor in fields))
    if not torch.equal(mix_literally(tokens, rows), materialise(tokens, recipes)):
        raise SystemExit("the two disagree; nothing was timed")
    race(
        {
            "`materialise`": lambda: materialise(tokens, recipes),
            "literal loop": lambda: mix_literally(tokens, rows),
        },
        of=f"{options.recipes} mixed embeddings of 77 x {options.width}",
        options=options,
    )


if __name__ == "__main__":
    main()
