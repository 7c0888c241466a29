"""banks: for each class, the recipes of its mixed embeddings and how much they change."""

from collections import Counter

from mvc.banks import change, mixing
from mvc.banks.recipes import stack_recipes, tabulate_recipes
from mvc.console.progress import progress
from mvc.core import image_tables
from mvc.core.counts import count_bank
from mvc.job import stage_log
from safetensors.torch import load_file

KEYS = ("per_real", "coarse", "fine", "rows", "base", "seed")


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake) as made:
        labels = image_tables.read(snakemake.input.captions, ["label"])["label"].to_pylist()
        embeddings = load_file(snakemake.input.embeddings)
        tokens, n_tokens = embeddings["tokens"], embeddings["n_tokens"]
        if len(labels) != len(tokens):
            raise ValueError(f"captions {len(labels):,} != embeddings {len(tokens):,}")
        mixed = mixing.mix_classes(labels, tokens, n_tokens, **{k: cfg[k] for k in KEYS})
        total = count_bank(Counter(labels).values(), cfg["per_real"])
        rows = list(progress(mixed, total=total, unit="recipes"))
        if cfg["edits"] == "noise":
            rows = [*change.replace_by_noise(tokens, rows)]
        recipes = stack_recipes(rows)
        changes = change.measure_changes(tokens, recipes)
        no_ops = change.measure_no_ops(tokens, recipes)
        single = sum(labels.count(label) == 1 for label in set(labels))
        print(f"relative change: mean {changes.mean():.3f}, sd {changes.std():.3f}")
        print(f"edits that change nothing: {no_ops:.1%}")
        if single:
            print(f"warning: {single} class(es) have one caption, which is kept unmixed")
        image_tables.write(tabulate_recipes(rows, changes.tolist()), snakemake.output[0])
        made(len(rows), "recipes")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
