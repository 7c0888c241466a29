"""Fields of classifier runs' records that follow from an accuracy."""

import numpy as np
from mvc.classifiers.measures import pack_correct


def make_measured(accuracy: float, n_test: int = 2000, names=("a", "b")) -> dict:
    """What a run of this accuracy reports: its first images are the ones that are recognised."""
    right = round(accuracy * n_test / 100)
    first, *others = names
    confusion = {first: {first: right, others[0]: n_test - right}} | {name: {} for name in others}
    return {
        "accuracy": accuracy,
        "balanced_accuracy": accuracy - 1,
        "macro_f1": accuracy - 2,
        "confusion": {k: {c: n for c, n in row.items() if n} for k, row in confusion.items()},
        "correct": pack_correct(np.arange(n_test) < right),
        "test_set": "t",
        "n_test": n_test,
    }
