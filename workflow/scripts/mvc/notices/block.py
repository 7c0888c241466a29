"""Notices of a run's data sets: sorted, merged over subsets, and laid out for terminal and page."""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mvc.notices.data import describe_data, list_data_notices
from mvc.notices.notice import FIRST, Notice
from mvc.notices.results import list_result_notices

TITLE = "What you should know about your data and models"
MOST = 12  # sentences on the terminal at the end of a run
MOST_AFTER_IMAGES = 4  # sentences after one data set's images stage
WIDTH = 100
# What reading a file that is damaged or of another version raises.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)
READERS = {
    "images": list_data_notices,
    "notices": lambda content, file: [Notice(**notice) for notice in content],
    "unet": lambda content, file: [Notice(text, file) for text in content["warnings"]],
    "augmented": lambda content, file: [
        Notice(**notice)._replace(file=file) for notice in content["notices"]
    ],
}
# A part of a sentence that may differ between subsets of one data set: numbers and quoted names.
VARYING = re.compile(r"'[^']*'|\d[\d,.]*")


def collect_notices(files: Iterable[str | Path]) -> dict[str, list[Notice]]:
    """The notices of each data set, most important first, from the files that exist of these.

    Args:
        files: `images/report.json`, `unet/report.json`, `notices.json`, `augmented` and records of
            runs below `results/<data set>/`; others are ignored.
    """
    found: dict[str, list[Notice]] = {}
    records: dict[str, list[dict]] = {}
    for path in sorted({find_file(Path(file)) for file in files}):
        kind = name_kind(path)
        if kind is None or not path.is_file():
            continue
        name = path.parts[1]
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if kind == "runs":
                records.setdefault(name, []).append(content | {"file": str(path)})
            else:
                found.setdefault(name, []).extend(READERS[kind](content, str(path)))
        except UNREADABLE:
            found.setdefault(name, []).append(make_unreadable(path))
    for name, runs in records.items():
        found.setdefault(name, []).extend(list_result_notices(runs))
    return {name: sort_notices(notices) for name, notices in found.items() if notices}


def find_file(path: Path) -> Path:
    """The file that says what to know: the path itself, or one in the folder `augmented`."""
    return path / "selection.json" if path.name == "augmented" else path


def make_unreadable(path: Path) -> Notice:
    """A notice of a file that is damaged or of another version: it must not end a run."""
    return Notice("what its files say cannot be read: delete this one and run again", str(path))


def name_kind(path: Path) -> str | None:
    """What a file below `results/` tells about its data set: the reader of its kind, or `runs`."""
    _, _, *rest = (*path.parts, "", "")
    if path.parts[:1] != ("results",) or path.suffix != ".json":
        return None
    if rest[:2] == ["images", "report.json"]:
        return "images"
    if rest[:1] == ["notices.json"]:
        return "notices"
    if rest[:2] == ["unet", "report.json"]:
        return "unet"
    if rest[:2] == ["augmented", "selection.json"]:
        return "augmented"
    return "runs" if rest[:1] == ["classifiers"] else None


def sort_notices(notices: Sequence[Notice]) -> list[Notice]:
    """Sort by importance; of many alike, such as one per class, keep the first and a count."""
    alike: dict[tuple[int, str], list[Notice]] = {}
    for notice in dict.fromkeys(notices):
        alike.setdefault((notice.rank, VARYING.sub("#", notice.text)), []).append(notice)
    kept = []
    for group in alike.values():
        if len(group) > 2:
            more = f" (and {len(group) - 1} more like this)"
            group = [group[0]._replace(text=group[0].text + more)]
        kept += group
    return sorted(kept, key=lambda notice: notice.rank)


def merge_datasets(found: Mapping[str, Sequence[Notice]]) -> list[tuple[str, Notice]]:
    """Pairs of data sets and a notice; what several have in common, numbers aside, stands once.

    Returns:
        The most important first, then in the order of data sets.
    """
    shared: dict[tuple[int, str], dict[str, Notice]] = {}
    for name, notices in found.items():
        for notice in notices:
            text = VARYING.sub("#", notice.text.replace(name, "#"))
            holders = shared.setdefault((notice.rank, text), {})
            key = name if name not in holders else f"{name} {notice.text}"
            holders[key] = notice
    merged = []
    for holders in shared.values():
        names = [name for name in holders if name in found]
        first = next(iter(holders.values()))
        if len(names) == 1:
            merged += [(names[0], notice) for notice in holders.values()]
        else:
            differ = len({notice.text for notice in holders.values()}) > 1
            note = f" ({names[0]}; much the same in the others)" if differ else ""
            merged.append((format_names(names), first._replace(text=first.text + note)))
    return sorted(merged, key=lambda pair: pair[1].rank)


def format_names(names: Sequence[str]) -> str:
    """Name data sets in brief: `a-0 … a-7`, or the first three and how many more there are."""
    stems = Counter(name.rpartition("-")[0] for name in names)
    if len(stems) == 1 and len(names) > 2 and "" not in stems:
        return f"{names[0]} … {names[-1]} ({len(names)})"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def format_terminal(found: Mapping[str, Sequence[Notice]], most: int = MOST) -> str:
    """The block at the end of a run; empty where there is nothing to say."""
    merged = merge_datasets(found)
    if not merged:
        return ""
    shown, rest = merged[:most], merged[most:]
    lines = ["", TITLE]
    for names in dict.fromkeys(names for names, _ in shown):
        lines.append(f"  {names}")
        lines += [format_item(notice) for holders, notice in shown if holders == names]
    if rest:
        files = list(dict.fromkeys(notice.file for _, notice in rest))
        others = f" and {len(files) - 2} more files" if len(files) > 2 else ""
        lines.append(f"  and {len(rest)} more: see {', '.join(files[:2])}{others}")
    return "\n".join(lines)


def format_after_images(file: Path) -> str:
    """What is trained on, to be read as soon as the images stage has ended: a line, and notices.

    Args:
        file: `results/<data set>/images/report.json`.
    """
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        notices = sort_notices(list_data_notices(report, str(file)))
        about = f"{file.parts[1]}: {describe_data(report)}"
    except UNREADABLE:
        return make_sentence(make_unreadable(file))
    lines = [textwrap.fill(about, WIDTH, subsequent_indent="  ")]
    lines += [format_item(notice) for notice in notices[:MOST_AFTER_IMAGES]]
    if more := len(notices[MOST_AFTER_IMAGES:]):
        lines.append(f"  and {more} more: see {file}")
    return "\n".join(lines)


def format_page(found: Mapping[str, Sequence[Notice]]) -> str:
    """All notices as a section of a Markdown page; empty where there is nothing to say."""
    lines = [f"- {names}: {make_sentence(notice)}" for names, notice in merge_datasets(found)]
    return "\n\n".join([f"## {TITLE}", "\n".join(lines)]) if lines else ""


def make_sentence(notice: Notice) -> str:
    """The text of a notice and the file with its details."""
    return f"{notice.text} ({notice.file})" if notice.file else notice.text


def format_item(notice: Notice) -> str:
    """A notice as an item of a list on the terminal; the most important are marked."""
    mark = "  ! " if notice.rank <= FIRST else "  - "
    settings = {"subsequent_indent": "    ", "break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(make_sentence(notice), WIDTH, initial_indent=mark, **settings)
