"""pixels: the images of one split, decoded once for all jobs that read them at one resolution."""

from mvc.core.pixel_cache import write_pixels
from mvc.job import stage_log


def main(snakemake) -> None:
    size = int(snakemake.wildcards.size)
    with stage_log(snakemake) as report:
        images = write_pixels(snakemake.input[0], snakemake.output[0], size=size)
        report(images, "images decoded", f"{size} x {size} pixels")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
