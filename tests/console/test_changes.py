"""Which settings changed, from the words of Snakemake's reason."""

import pytest
from mvc.console.changes import CHANGED, SOFTWARE, explain_params, list_changes

REASON = f"{CHANGED}: Union of exclusive params before and now: before: {{}} now: {{}} "


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"scale": 4.0, "steps": 2}, {"scale": 2.0, "steps": 2}, "scale 4.0 → 2.0"),
        ({"a": 1, "b": {"c": True}}, {"a": 2, "b": {"c": None}}, "a 1 → 2, b.c true → null"),
        (dict.fromkeys("abcde", 1), dict.fromkeys("abcde", 2), "a 1 → 2, b 1 → 2 and 3 more"),
        ({"select": "first"}, {"per_class": 5}, "select first → (absent), per_class (absent) → 5"),
        ({"prompt": " now: "}, {"prompt": "a, 'b' now: c"}, "prompt  now:  → a, 'b' now: c"),
        ({"files": 64 * "a"}, {"files": 64 * "b"}, "files changed"),
        ({"steps": 1}, {"steps": 1.0}, "steps 1 → 1.0"),
    ],
)
def test_explain_params_names_what_changed(before, now, words):
    assert explain_params(REASON.format(before, now)) == words
    assert explain_params(REASON.format(before, now).strip() + SOFTWARE) == words
    code = REASON.format(f"'2e13be9c2797',{before}", f"{now},'45296cddc6a1'")
    assert explain_params(code) == f"{words}; code changed"


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("<nothing exclusive>", "{'steps': 1}"),
        ("{'steps': 1},{'steps': 2}", "{'steps': 3}"),
        ("{'steps': array([1])}", "{'steps': array([2])}"),
        ("{'steps': inf}", "{'steps': nan}"),
    ],
)
def test_explain_params_where_they_cannot_be_compared(before, now):
    assert explain_params(REASON.format(before, now)) == "settings changed"


def test_list_changes_of_equal_settings():
    assert not list(list_changes({"a": 1, "b": {"c": [2]}}, {"b": {"c": [2]}, "a": 1}))
