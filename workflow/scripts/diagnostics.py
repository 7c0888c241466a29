"""diagnostics: RA with extra real, reconstructed and pre-trained images, next to RA and ours."""

from mvc import reports, shards, tables
from mvc.stage import stage_log


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        runs = tables.read(snakemake.input)
        print(f"{len(runs):,} runs")
        table = tables.diagnostics(runs, confidence=cfg["confidence"]).round(6)
        text = reports.diagnostics_markdown(
            runs, digits=cfg["digits"], confidence=cfg["confidence"]
        )
        with shards.atomic(snakemake.output.csv) as temporary:
            table.to_csv(temporary, index=False)
        with shards.atomic(snakemake.output.md) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
