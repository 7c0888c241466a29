"""The pages as HTML: Jinja2's templates, every value escaped, styles and script in the page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mvc.report.gallery import Gallery

TEMPLATES = Path(__file__).parent / "templates"


def load_templates() -> Environment:
    """The templates; a value that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def escape_json(value: object) -> str:
    """A value as JSON that can stand within <script>: no text in it ends the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def format_dataset(page: Mapping, gallery: Gallery | None, *, title: str) -> str:
    """Format the page of a data set.

    Args:
        page: as `collect.collect_page` returns it.
        title: of the whole report.
    """
    template = load_templates().get_template("dataset.html")
    data = {"images": gallery.details, "captions": gallery.captions} if gallery else {}
    return template.render(**page, title=title, gallery=gallery, details=escape_json(data))


def format_index(pages: Sequence[Mapping], *, title: str, made: str) -> str:
    """Format the first page: a card for each data set.

    Args:
        pages: as `collect.collect_page` returns them, with `link` and `strip`, a few pictures.
        made: when, in words.
    """
    return load_templates().get_template("index.html").render(pages=pages, title=title, made=made)
