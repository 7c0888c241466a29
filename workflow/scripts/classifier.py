"""classifier: the best run of a data set's tables as a folder, with its model card."""

import numpy as np
from mvc.classifiers.card import format_card
from mvc.classifiers.choice import choose_run, count_rivals, read_records
from mvc.classifiers.folder import load_classifier, write_folder
from mvc.classifiers.kept import load_weights, remove_others
from mvc.classifiers.measures import find_validation
from mvc.classifiers.predictions import describe_repeat, predict_table
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.job import stage_log
from mvc.tables.intervals import bound_accuracy


def bound_share(accuracy: float, images: int, confidence: float) -> tuple[float, float]:
    """Bound an accuracy, in percent, over images."""
    correct = np.arange(images) < round(accuracy * images / 100)
    return bound_accuracy(correct[None], confidence=confidence)


def main(snakemake) -> None:
    files = snakemake.input
    cfg = snakemake.params.cfg
    output = snakemake.output[0]
    with stage_log(snakemake) as report:
        records = read_records(files.runs)
        chosen = choose_run(records)
        path, record = files.runs[chosen], records[chosen]
        split, validation = record["split"], find_validation(record)
        shares = {"validation": validation, split: (record["accuracy"], record["n_test"])}
        bounds = {name: bound_share(*each, cfg["confidence"]) for name, each in shares.items()}
        state, described = load_weights(path, record)
        fit = image_tables.get_fit(image_tables.read(files.train, ["label"]))
        with atomic(output) as folder:
            write_folder(state, described, folder, fit=fit, record=record)
            classifier = load_classifier(folder, device=pick_device())
            again = describe_repeat(*predict_table(classifier, files.evaluation), record)
            card = format_card(
                records,
                chosen,
                described,
                fit=fit,
                bounds=bounds,
                again=again,
                rivals=count_rivals(records, chosen, least=bounds["validation"][0]),
                paths={"folder": output, "record": path},
                digits=cfg["digits"],
            )
            (folder / "README.md").write_text(card, encoding="utf-8")
        print(f"{path}\n{again}")
        if snakemake.resources.keep == "best":
            print(f"classifiers.keep = best: weights of {remove_others(path)} other runs removed")
        shown = f"{split} accuracy {record['accuracy']:.1f} %"
        report(len(records), "runs compared", f"{record['model']}, {record['arm']}: {shown}")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
