"""Tables of accuracy as LaTeX, for a paper; they need no package but booktabs."""

from collections.abc import Sequence

import pandas as pd

from mvc.config.table_columns import TABLES
from mvc.tables import report, statistics

SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        **{sign: "\\" + sign for sign in "&%$#_{}"},
    }
)


def format_latex(
    runs: pd.DataFrame, table: str, rows: Sequence[Sequence[str]] = (), *, digits: int
) -> str:
    """Format a table of the paper with the rows and columns of `report.format_markdown`.

    Args:
        runs: as returned by `read_runs`.
        table: `table1` to `table5`, also its label.
        rows: pairs (data set, model) that come first, in this order, run or not.
        digits: decimals of accuracy.
    """
    layout = TABLES[table]
    accuracy = statistics.summarise_cells(statistics.select_shown(runs, layout))
    split, seeds = runs["split"].iloc[0], sorted(set(accuracy["n"]))
    body = report.format_cells(accuracy, table, rows, digits, _format_mean_sd)
    lines = [[*map(escape, key), *cells] for key, cells in body.items()]
    heads = [*map(escape, ["data set", "model", *layout.columns.values()])]
    number = f"{seeds[0]} seeds" if seeds[0] == seeds[-1] else f"{seeds[0]} to {seeds[-1]} seeds"
    caption = (
        f"{escape(layout.about)} Accuracy in \\% on the {escape(split)} split: "
        f"mean $\\pm$ standard deviation over {number.replace('1 seeds', '1 seed')}."
    )
    return _format_float(heads, lines, caption=caption, label=f"tab:{table}")


def escape(text: str) -> str:
    """Escape text, so that LaTeX prints it as it is."""
    return text.translate(SPECIAL)


def _format_mean_sd(cell: dict, digits: int) -> str:
    sd = "" if cell["n"] < 2 else f" \\pm {cell['sd']:.{digits}f}"
    return f"${cell['mean']:.{digits}f}{sd}$"


def _format_float(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, caption, label: str
) -> str:
    lines = [r" & ".join(row) + r" \\" for row in (heads, *rows)]
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}[t]",
            r"  \centering",
            r"  \footnotesize",
            r"  \setlength{\tabcolsep}{3pt}",
            rf"  \caption{{{caption}}}",
            rf"  \label{{{label}}}",
            rf"  \begin{{tabular}}{{ll{'c' * (len(heads) - 2)}}}",
            r"    \toprule",
            "    " + lines[0],
            r"    \midrule",
            *("    " + line for line in lines[1:]),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )
