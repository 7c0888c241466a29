"""The schemas describe every key, for editors and for the comments of config/config.yaml."""

import importlib.util
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from mvc.config.check import list_properties

REPO = Path(__file__).parents[2]
SCHEMAS = REPO / "workflow/schemas"
CONFIGS = sorted((REPO / "config").glob("*.yaml"))


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def load_comments_script():
    spec = importlib.util.spec_from_file_location("comments", SCHEMAS / "comments.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find_undescribed(part, schema, path=""):
    """Paths of properties without a description, of their own or of what they refer to."""
    for key, below in part.items() if isinstance(part, dict) else ():
        for name, own in below.items() if key == "properties" else ():
            referred = schema["$defs"].get(own.get("$ref", "").rsplit("/", 1)[-1], {})
            if "description" not in {**own, **referred}:
                yield f"{path}/{name}"
        yield from find_undescribed(below, schema, f"{path}/{key}")


@pytest.mark.parametrize("name", ["config", "miniature"])
def test_every_property_has_a_description(name):
    schema = load(SCHEMAS / f"{name}.schema.yaml")
    assert list(find_undescribed(schema, schema)) == []


@pytest.mark.parametrize("name", ["config", "miniature"])
def test_comments_are_the_descriptions(name):
    """Where this fails, edit the schema and run `make comments`."""
    script = load_comments_script()
    descriptions = script.collect_descriptions(load(SCHEMAS / f"{name}.schema.yaml"))
    text = (REPO / f"config/{name}.yaml").read_text(encoding="utf-8")
    assert text == script.write_comments(text, descriptions)


def test_write_comments_replaces_a_block_and_keeps_the_others():
    script = load_comments_script()
    text = "# top\n\n# old\na:\n  # old\n  # lines\n  b: 1\n  # kept\n  c: {b: 2}\n"
    written = script.write_comments(text, {("a",): "new", ("a", "b"): "two\nlines"})
    expected = "# top\n\n# new\na:\n  # two\n  # lines\n  b: 1\n  # kept\n  c: {b: 2}\n"
    assert written == expected


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_file_fits_the_schema_that_it_names_to_editors(path):
    """By itself, since an editor sees neither what it is laid over nor what `like` fills in."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    key, _, schema = first.partition("$schema=")
    assert key == "# yaml-language-server: "
    errors = Draft202012Validator(load(path.parent / schema)).iter_errors(load(path))
    assert [error.message for error in errors] == []


def test_list_properties_follows_references():
    schema = load(SCHEMAS / "config.schema.yaml")
    listed = list_properties(schema["properties"]["classifiers"], schema)
    assert {"models", "learning_rate"} <= set(listed)
