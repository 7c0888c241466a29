"""estimate: what a run of this configuration would cost; printed, too."""

from mvc import data_size, estimate, estimate_page, flops, shards
from mvc.stage import device, stage_log


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        rows = []
        for name, own in cfg["datasets"].items():
            size = data_size.measure(name, own)
            print(f"{name}: {size}")
            rows += estimate.lines(name, own, size, cfg["models"])
        if cfg["teraflops"] is None:
            throughput = flops.throughput(device(), seconds=cfg["seconds"])
            measured = "measured on this GPU" if device().type == "cuda" else "one thread here"
        else:
            throughput, measured = cfg["teraflops"] * 1e12, "by estimate.teraflops"
        page = estimate_page.page(rows, throughput, measured)
        with shards.atomic(snakemake.output[0]) as path:
            path.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
