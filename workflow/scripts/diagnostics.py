"""diagnostics: RA with extra real, train_vae and pre-trained images, next to RA and ours."""

from mvc.core.atomic import atomic
from mvc.job import stage_log
from mvc.tables import report, runs, statistics


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake) as made:
        records = runs.read_runs(snakemake.input)
        table = statistics.compare_diagnostics(records, confidence=cfg["confidence"]).round(6)
        text = report.format_diagnostics(
            records, digits=cfg["digits"], confidence=cfg["confidence"]
        )
        with atomic(snakemake.output.csv) as temporary:
            table.to_csv(temporary, index=False)
        with atomic(snakemake.output.md) as temporary:
            temporary.write_text(text, encoding="utf-8")
        made(len(records), "runs")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
