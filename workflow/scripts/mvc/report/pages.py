"""The pages as HTML: Jinja2's templates, every value escaped, styles and script in the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps

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


def format_dataset(page: Mapping, gallery: Gallery | None, *, title: str) -> str:
    """Format the page of a data set.

    Args:
        page: as `collect.collect_page` returns it.
        title: of the whole report.
    """
    template = load_templates().get_template("dataset.html")
    data = {"images": gallery.details, "captions": gallery.captions} if gallery else {}
    details = htmlsafe_json_dumps(data, separators=(",", ":"))
    return template.render(**page, title=title, gallery=gallery, details=details)


def format_index(pages: Sequence[Mapping], *, title: str, made: str) -> str:
    """Format the first page: a card for each data set.

    Args:
        pages: as `collect.collect_page` returns them, with `link` and `strip`, a few pictures.
        made: when, in words.
    """
    return load_templates().get_template("index.html").render(pages=pages, title=title, made=made)
