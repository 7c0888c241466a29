"""Sizes of a data set's images: what the crop loses, crops that look alike, what is enlarged."""

from collections import Counter
from collections.abc import Sequence

from mvc.images.items import Item

MEAN_LOSS, LARGE_LOSS = (
    0.1,
    0.3,
)  # shares of the pixels, in the mean and of an image; else a warning


def report_shapes(items: Sequence[Item], *, fit: str, key: str) -> tuple[dict, list[str]]:
    """Report the sizes of images and what a centre crop loses of them, with warnings.

    Args:
        items: after their inspection; those of arrays, which are square, have no size.
        fit: `images.fit`; only with crop anything is lost.
        key: config key of the data set, for messages.
    """
    sized = [item for item in items if item.size]
    if not sized:
        return {}, []
    sizes = Counter(item.size for item in sized)
    losses = [1 - min(item.size) / max(item.size) for item in sized]
    mean, large = sum(losses) / len(losses), sum(loss > LARGE_LOSS for loss in losses)
    alike = count_alike_crops(sized)
    report = {
        "sizes": {f"{w} x {h}": n for (w, h), n in sizes.most_common(10)},
        "distinct_sizes": len(sizes),
        "shorter_side": [min(map(min, sizes)), max(map(min, sizes))],
        "crop_loss": {"mean": round(mean, 4), "largest": round(max(losses), 4), "large": large},
        "crops_alike": alike,
    }
    warnings = []
    if fit == "crop" and (mean > MEAN_LOSS or large):
        many = f", over {100 * LARGE_LOSS:.0f} % of each of {large:,} images" if large else ""
        warnings.append(
            f"the centre crop loses {100 * mean:.0f} % of the pixels in the mean, "
            f"{100 * max(losses):.0f} % at most{many}; {key}.images.fit: pad or squash keeps the "
            "whole image"
        )
    if fit == "crop" and alike:
        warnings.append(
            f"{alike} image(s) that differ are the same to every stage, since their centre crops "
            f"are equal: what tells them apart is cut off; set {key}.images.fit to pad or squash"
        )
    return report, warnings


def count_alike_crops(items: Sequence[Item]) -> int:
    """Count the images whose centre crop equals that of an image with other pixels."""
    whole: dict[bytes, set[bytes]] = {}
    for item in items:
        whole.setdefault(item.crop, set()).add(item.pixels)
    return sum(len(pixels) for pixels in whole.values() if len(pixels) > 1)
