"""estimate: print what the tables of this configuration would cost."""

from mvc.core.device import pick_device
from mvc.estimate import cost, flops, size
from mvc.job import stage_log


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        rows = []
        for name, own in cfg["datasets"].items():
            found = size.measure(name, own)
            print(f"{name}: {found.train:,} labelled images of {found.classes} classes")
            rows += cost.lines(name, own, found, cfg["models"])
        if cfg["teraflops"] is None:
            throughput = flops.throughput(pick_device(), seconds=cfg["seconds"])
            measured = "measured on this GPU" if pick_device().type == "cuda" else "one thread here"
        else:
            throughput, measured = cfg["teraflops"] * 1e12, "by estimate.teraflops"
        page = cost.page(rows, throughput, measured)
        print(page)
    print(page)  # on the terminal, besides the log


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
