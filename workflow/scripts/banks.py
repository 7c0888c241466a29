"""banks: for each class, the recipes of its mixed embeddings and how much they change."""

from collections import Counter

from mvc.banks import change, mixing
from mvc.banks.recipes import stack_recipes, tabulate_recipes
from mvc.console.progress import progress
from mvc.core import image_tables
from mvc.core.counts import count_extra, list_names
from mvc.core.image_tables import read_class_names
from mvc.job import stage_log
from safetensors.torch import load_file

KEYS = ("coarse", "fine", "rows", "base", "seed")


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake) as report:
        labels = image_tables.read(snakemake.input.captions, ["label"])["label"].to_pylist()
        names = read_class_names(image_tables.read(snakemake.input.images, ["label", "class_name"]))
        embeddings = load_file(snakemake.input.embeddings)
        tokens = embeddings["tokens"]
        if len(labels) != len(tokens):
            raise ValueError(
                f"{len(labels):,} captions, but {len(tokens):,} embeddings; run both again"
            )
        settings = {key: cfg[key] for key in KEYS}
        captions = Counter(labels)
        quota = {key: cfg[key] for key in ("per_real", "per_class")}
        sizes = {name: captions[label] for label, name in names.items()}
        wanted = count_extra(sizes, **quota, section="banks")
        settings["counts"] = {label: wanted[name] for label, name in names.items()}
        drawn = mixing.mix_classes(labels, tokens, embeddings["n_tokens"], **settings)
        rows = list(progress(drawn, total=sum(wanted.values()), unit="recipes"))
        rows = change.choose_edits(tokens, rows, cfg["edits"])
        recipes = stack_recipes(rows)
        changes = change.measure_changes(tokens, recipes)
        print(f"relative change: mean {changes.mean():.3f}, sd {changes.std():.3f}")
        print(f"edits without effect: {change.measure_no_ops(tokens, recipes):.1%}")
        if none := [name for name, count in wanted.items() if not count]:
            print(f"no mixed embeddings, and so no synthetic images, of {list_names(none)}")
        single = list(captions.values()).count(1)
        if single:
            print(f"warning: {single} class(es) have a single caption, which stays unmixed")
        image_tables.write(tabulate_recipes(rows, changes.tolist()), snakemake.output[0])
        report(len(rows), "recipes")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
