"""The runs among which a data set's classifier is chosen, and which runs keep their weights."""

from collections.abc import Mapping

from mvc.config import plan
from mvc.config.sections import merge_section


def list_candidates(config: Mapping, dataset: str) -> list[plan.Run]:
    """The runs of a data set's tables, among which its classifier is chosen.

    Raises:
        ValueError: the data set has no rows in a table; says where to add some.
    """
    runs = plan.list_dataset_runs(config, dataset)
    if not runs:
        raise ValueError(
            f"{dataset} has no rows in a table, among whose runs its classifier is chosen; add "
            "some to its tables.rows"
        )
    return runs


def choose_keeping(config: Mapping, dataset: str, model: str, arm: str) -> str:
    """Choose whether a run keeps its weights: `classifiers.keep`, but none outside the tables.

    All runs keep them with `all`.
    """
    keep = merge_section(config, "classifiers", dataset)["keep"]
    if keep != "best":
        return keep
    rows = merge_section(config, "tables", dataset)["rows"]
    shown = (
        model in models and arm in plan.list_columns(config, table, dataset)
        for table, models in rows.items()
    )
    return keep if any(shown) else "none"
