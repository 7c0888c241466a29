"""What each rule asks of a cluster, by the rules' own text; the page that states it agrees."""

import re

import pytest
from project_tree import REPO
from rule_texts import GPU, LOCAL, RULES

LOOKS = {
    "table",
    "tables",
    "diagnostics",
    "quality_table",
    "figure1",
    "figure5",
    "estimate",
    "models",
    "all",
    "demo",
}
LOOKS |= {"comparisons", "sweep", "headroom", "evidence", "repetitions", "rehearsal"}
LOOKS |= {"augmented", "confusion", "miniature", "miniature_cards", "notices", "report"}
LOOKS |= {"unet_card"}


def stated() -> dict[str, list[str]]:
    """GPU, memory in GB and time in hours of the rules that docs/cluster.md names."""
    page = (REPO / "docs/cluster.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    table = [row for row in cells if len(row) == 5]
    return {
        name: [cell.strip() for cell in row[1:4]]
        for row in table
        for name in re.findall(r"`(\w+)`", row[0])
    }


def test_rules_that_use_a_gpu_ask_for_it_and_no_others_do():
    """A script that opens models calls `pick_device()`; fine-tuning leaves it to its processes."""
    scripts = {name: re.search(r'"\.\./scripts/(.+)"', text) for name, text in RULES.items()}
    users = {
        name
        for name, script in scripts.items()
        if script and "pick_device()" in (REPO / "workflow/scripts" / script[1]).read_text("utf-8")
    }
    assert GPU == (users | {"unet"}) - {"estimate"}
    assert not GPU & LOCAL


def test_only_bookkeeping_runs_where_snakemake_was_started():
    assert LOCAL == LOOKS


@pytest.mark.parametrize("name", sorted(set(RULES) - LOCAL))
def test_memory_and_time_grow_with_the_attempts(name):
    if name == "unet":  # its memory is a function of the number of processes
        assert "mem_mb=unet_memory" in RULES[name]
    else:
        assert re.search(r"mem_mb=lambda wildcards,.* attempt: .*\s*\* attempt", RULES[name])
    if name == "classifiers":  # its time is a function of what is trained
        assert "runtime=training_minutes" in RULES[name]
    else:
        assert re.search(r"runtime=lambda wildcards, attempt: \d+ \* attempt", RULES[name])


def test_the_page_states_what_the_rules_ask_for():
    page, sent = stated(), {name for name in RULES if not name.startswith("miniature")} - LOCAL
    assert set(page) == sent
    for name, (gpu, memory, hours) in page.items():
        assert bool(gpu) == (name in GPU), name
        least = re.match(r"[\d.]+", hours)[0]
        asked = f"attempt: {round(60 * float(least))} * attempt"
        assert asked in RULES[name] or (name, least) == ("classifiers", "8"), name
        if memory.isdigit():
            assert f"attempt: {memory}_000 * attempt" in RULES[name], name
