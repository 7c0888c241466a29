"""estimate: print what the tables of this configuration would cost."""

from mvc.console.terminal import replace_unprintable
from mvc.core.device import pick_device
from mvc.estimate import cost, flops, memory, size
from mvc.estimate.measured import list_pages
from mvc.job import stage_log


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake):
        lines = []
        sizes = {name: size.measure(name, own) for name, own in cfg["datasets"].items()}
        for name, settings in cfg["datasets"].items():
            images = sizes[name]
            print(f"{name}: {images.train:,} labelled images of {images.classes} classes")
            lines += cost.estimate_stages(name, settings, images, cfg["models"])
        if cfg["teraflops"] is None:
            device = pick_device()
            throughput = flops.measure_throughput(device, seconds=cfg["seconds"])
            place = "this GPU" if device.type == "cuda" else "one thread of this CPU"
            measured = f"measured on {place}"
        else:
            throughput = cfg["teraflops"] * 1e12
            measured = "by estimate.teraflops"
        page = cost.format_page(lines, throughput, measured)
        tuned = {(d["unet"]["resolution"], d["unet"]["rank"]) for d in cfg["datasets"].values()}
        counted = [
            memory.format_memory(cfg["models"]["diffusion"], *each) for each in sorted(tuned)
        ]
        page = "\n\n".join(
            [page.rstrip("\n"), *filter(None, counted), *list_pages(cfg["datasets"], sizes)]
        )
        print(page)
    replace_unprintable()
    print(page)  # on the terminal too


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
