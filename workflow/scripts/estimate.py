"""estimate: print what the tables of this configuration would cost."""

from mvc import data_size, estimate, estimate_page, flops
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
        print(page)
    print(page)  # on the terminal, besides the log


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
