"""The catalogue of loaders agrees with the code, the schema, the configuration and the docs."""

import re
from pathlib import Path

import pytest
import yaml
from mvc.config.catalogue import LOADERS
from mvc.images.loaders import brain_tumor, digits, fashion_mnist, registry

REPO = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((REPO / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
PAGE = (REPO / "docs/data-sets.md").read_text(encoding="utf-8")


def read_table() -> dict[str, str]:
    """The table of docs/data-sets.md: loader to what it says of `path`, without backticks."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE)
    return {loader: path.replace("`", "") for loader, path in rows}


def test_catalogue_names_what_the_registry_and_the_schema_name():
    assert list(registry.FUNCTIONS) == list(LOADERS)
    assert all(f.__name__ == f"load_{name}" for name, f in registry.FUNCTIONS.items())
    assert SCHEMA["$defs"]["dataset"]["properties"]["loader"]["enum"] == list(LOADERS)


def test_every_key_of_the_section_images_is_read_by_a_loader():
    read = {key for loader in LOADERS.values() for key in loader.keys}
    assert read == SCHEMA["$defs"]["images"]["properties"].keys()


def test_docs_have_a_row_for_each_loader():
    table = read_table()
    assert list(table) == list(LOADERS)
    for name, loader in LOADERS.items():
        parts = ["null"] * loader.null + [loader.path] * bool(loader.path)
        assert table[name] == ", or ".join(parts)
        assert loader.page in PAGE


def test_configuration_lists_every_loader():
    text = (REPO / "config/config.yaml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^#   loader: (.*?):", text, re.DOTALL | re.MULTILINE)
    assert re.findall(r"\w+", listed.replace(" or ", " ")) == list(LOADERS)


@pytest.mark.parametrize(
    "loader, classes",
    [
        ("fashion_mnist", fashion_mnist.CLASSES),
        ("brain_tumor", brain_tumor.CLASSES),
        ("digits", digits.CLASSES),
    ],
)
def test_sizes_count_the_classes_that_loaders_name(loader, classes):
    assert LOADERS[loader].size.classes == len(classes)


def test_null_finds_nothing_of_the_users_own_data():
    for loader in LOADERS.values():
        assert loader.size or not loader.null
        assert not loader.archive or loader.null
