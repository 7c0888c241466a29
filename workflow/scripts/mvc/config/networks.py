"""Names of classifiers' networks, checked against timm's own files without an import of it."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache

from mvc.config.files import find_package
from mvc.config.sections import merge_section

REGISTERED = re.compile(r"@register_model\s+def (\w+)\(")
TAGGED = re.compile(r"""['"]([a-z]\w+\.\w+)['"]""")
RENAMED = re.compile(r"register_model_deprecations\(.*?^\s*\}\)", re.DOTALL | re.MULTILINE)
KEY = re.compile(r"""['"](\w+)['"]:""")
WIDE = ("wrn-10-1", "wrn-28-2", "wrn-28-10", "wrn-40-2")


def list_network_faults(config: Mapping) -> Iterator[str]:
    """List networks, those of the policy search included, that timm does not have, one per line.

    Nothing is listed where timm is not installed beside Snakemake; the stage then refuses them.
    """
    names = {}
    for dataset in config["datasets"]:
        models = merge_section(config, "classifiers", dataset)["models"]
        for model, own in models.items():
            names.setdefault(own.get("network", model), f"classifiers.models.{model}")
        searched = merge_section(config, "policies", dataset)["model"]
        names.setdefault(models.get(searched, {}).get("network", searched), "policies.model")
    for name, key in names.items():
        if not name.startswith("wrn-") and (fault := _explain_unknown(name)):
            yield f"{key}: {name!r}; must be wrn-<depth>-<width> or a network of timm{fault}"


def _explain_unknown(name: str) -> str:
    """Near names of an unknown network, or the tags of one whose tag is unknown; "" if known."""
    base, _, tag = name.partition(".")
    networks, tagged, renamed = _list_timm()
    if not networks or base in renamed or (base in networks and not tag) or name in tagged:
        return ""
    if base in networks:
        tags = sorted(each.partition(".")[2] for each in tagged if each.startswith(f"{base}."))
        # Some tags are put together by timm: a network without literal ones is left to the stage.
        return f"; {base} has the tags {', '.join(tags[:10])}" if tags else ""
    close = get_close_matches(name, [*networks, *WIDE], n=3)
    return f"; did you mean {' or '.join(close)}?" if close else "; see timm.list_models()"


@cache
def _list_timm() -> tuple[frozenset[str], ...]:
    """Networks of timm, those with a tag, and old names: its 4 MB of source are read in 50 ms."""
    package = find_package("timm")
    files = sorted(package.glob("models/*.py")) if package else ()
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    renamed = KEY.findall("\n".join(RENAMED.findall(source)))
    return (
        frozenset(REGISTERED.findall(source)),
        frozenset(TAGGED.findall(source)),
        frozenset(renamed),
    )
