"""What a data set's images report tells: a summary of what is trained on, and notices."""

from collections.abc import Mapping

from mvc.notices.notice import FIRST, SECOND, THIRD, Notice, format_count

SHOWN_CLASSES = 6
IMBALANCE = 3  # images of the largest class over those of the smallest, in training


def describe_data(report: Mapping) -> str:
    """One sentence: images and classes to train on, images per split, what was left out."""
    classes, splits = report["classes"], report["splits"]
    names = ", ".join(classes[:SHOWN_CLASSES]) + ", …" * (len(classes) > SHOWN_CLASSES)
    images = format_count(splits["train"]["images"], "training image")
    parts = [f"{images} of {len(classes)} classes ({names})"]
    others = [
        f"{splits[split]['images']:,} {split}"
        for split in ("validation", "test")
        if splits[split]["images"]
    ]
    parts += [", ".join(others)] * bool(others)
    copies = sum(dropped["count"] for dropped in report["copies_dropped"].values())
    left_out = {"copies": copies, "damaged": count_files(report, "skipped")}
    left_out["other files"] = count_files(report, "not_used")
    dropped = ", ".join(f"{number:,} {kind}" for kind, number in left_out.items() if number)
    return "; ".join(parts) + (f"; left out: {dropped}" if dropped else "")


def count_files(report: Mapping, key: str) -> int:
    """The number under a key of the report that not every loader writes."""
    return report.get(key, {}).get("count", 0)


def list_data_notices(report: Mapping, file: str) -> list[Notice]:
    """Notices of an images report; its own warnings among them.

    Args:
        report: contents of `images/report.json`.
        file: its path, which the notices name.
    """
    notices = [Notice(text, file, SECOND) for text in report["warnings"]]
    copies = {reason: dropped["count"] for reason, dropped in report["copies_dropped"].items()}
    if number := copies["of_test"]:
        text = (
            f"{format_count(number, 'training image')} had the pixels of a test image and "
            f"{'was' if number == 1 else 'were'} dropped: accuracies that others measured with "
            "such copies in training are too high"
        )
        notices.append(Notice(text, file, FIRST))
    if number := copies["contradictory"]:
        text = (
            f"{format_count(number, 'image')} lay in two classes and were dropped: fix the labels"
        )
        notices.append(Notice(text, file, SECOND))
    if number := copies["repeated"]:
        text = f"{format_count(number, 'image')} repeated another one and were dropped"
        notices.append(Notice(text, file, THIRD))
    return notices + list_left_out(report, file) + find_imbalance(report, file)


def list_left_out(report: Mapping, file: str) -> list[Notice]:
    """Notices of files that are damaged, not used or converted."""
    notices = []
    if number := count_files(report, "skipped"):
        text = (
            f"{number:,} of {format_count(report['found'], 'image file')} cannot be read and "
            "were left out (images.unreadable: skip)"
        )
        notices.append(Notice(text, file, SECOND))
    if number := count_files(report, "not_used"):
        first = ", ".join(report["not_used"]["first"][:3])
        text = f"{format_count(number, 'file')} not used, such as {first}"
        notices.append(Notice(text, file, THIRD))
    kinds = {kind: n for kind, n in report.get("converted", {}).items() if n and kind != "suffix"}
    if kinds:
        listed = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
        notices.append(Notice(f"images converted to 8-bit RGB: {listed}", file, THIRD))
    return notices


def find_imbalance(report: Mapping, file: str) -> list[Notice]:
    """A notice where one class has at least `IMBALANCE` times the training images of another."""
    counts = {name: n for name, n in report["splits"]["train"]["per_class"].items() if n}
    if not counts:
        return []
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] < IMBALANCE * counts[least]:
        return []
    text = (
        f"classes are unequal in training: {counts[most]:,} images of '{most}', "
        f"{counts[least]:,} of '{least}'; look at the accuracy per class; "
        "banks.per_class tops the rare ones up"
    )
    return [Notice(text, file, SECOND)]
