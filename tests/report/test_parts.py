"""Parts of a page: verdicts, places on an axis, mixed captions, selections, nearest images."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from finished import draw_png, make_config, write_runs
from mvc.config.reported import read_report
from mvc.config.table_columns import TABLES
from mvc.report import charts, collect, facts, mixtures, selection, thumbnails, verdicts
from mvc.tables.statistics import make_table
from records import make_measured


def make_runs(arms: dict, split: str = "test", n_test: int = 2000) -> pd.DataFrame:
    return pd.DataFrame(
        {"dataset": "mine", "model": "wrn-10-1", "arm": arm, "seed": seed, "split": split}
        | {"n_train": 50, "n_extra": 0, "steps": 600}
        | make_measured(float(value), n_test)
        for arm, values in arms.items()
        for seed, value in enumerate(values)
    )


def list_findings(runs: pd.DataFrame) -> list[verdicts.Finding]:
    layout = TABLES["table1"]
    return verdicts.list_findings(make_table(runs, layout), layout, digits=1)


HELPS = {"ra": (70, 71, 72), "ra+syn": (75, 76.5, 77)}
BOTH = HELPS | {"aa": (70, 72, 74), "aa+syn": (69, 71, 76)}


def test_list_findings_says_what_each_gain_is_over():
    (finding,) = list_findings(make_runs(HELPS))
    assert (finding.title, finding.word) == ("With RandAugment (RA)", "helps")
    assert "71.0 % without, 76.2 % with: +5.2 points" in finding.sentence


@pytest.mark.parametrize(
    "arms, words",
    [
        (HELPS, "Synthetic images help in the one comparison"),
        (BOTH, "Synthetic images help in 1 of 2 comparisons; 1 is undecided"),
        ({"ra": HELPS["ra+syn"], "ra+syn": HELPS["ra"]}, "hurt in the one comparison"),
        ({"aa": BOTH["aa"], "aa+syn": BOTH["aa+syn"]}, "Undecided: the one comparison is within"),
        (HELPS | {"aa": HELPS["ra"], "aa+syn": HELPS["ra+syn"]}, "help in both comparisons"),
        (
            {arm: BOTH[arm.replace("ra", "aa")] for arm in BOTH},
            "Undecided: both comparisons are within",
        ),
        (
            {"aa": HELPS["ra"], "faa": HELPS["ra"], "ra": HELPS["ra"]}
            | {f"{arm}+syn": HELPS["ra+syn"] for arm in ("aa", "faa", "ra")},
            "help in all 3 comparisons",
        ),
        ({"ra": (70, 71)}, "No two arms"),
    ],
)
def test_format_headline(arms, words):
    assert words in verdicts.format_headline(list_findings(make_runs(arms)))


def test_list_headlines_of_the_tables_among_some_files(tmp_path):
    file = tmp_path / "table1.csv"
    make_table(make_runs(HELPS), TABLES["table1"]).to_csv(file, index=False)
    others = [str(tmp_path / name) for name in ("table1_runs.csv", "table1.md", "quality.csv")]
    assert verdicts.list_headlines([*others, str(file)]) == [
        "Table 1: Synthetic images help in the one comparison."
    ]
    file.unlink()
    assert verdicts.list_headlines([str(file)]) == [], "taken away by a storage provider"


def test_a_single_seed_has_no_interval_and_says_so():
    runs = make_runs({"ra": (70,), "ra+syn": (75,)})
    (finding,) = list_findings(runs)
    assert finding.word == "undecided" and "no interval over seeds" in finding.sentence
    limits = " ".join(verdicts.list_limits(runs, [finding], confidence=0.95))
    assert "One classifier seed" in limits and "2,000 images" in limits


def test_list_limits_names_a_split_that_is_no_test():
    runs = make_runs(HELPS, split="validation")
    assert "no test result" in verdicts.list_limits(runs, list_findings(runs), confidence=0.9)[-1]


def test_arrange_intervals_keeps_order_and_bounds():
    picture = charts.arrange_intervals(list_findings(make_runs(BOTH)))
    for row in picture["rows"]:
        low, high = row["seeds"]
        assert 0 <= low < row["gain"] < high <= 100
        assert (row["finding"].gain.low > 0) == (low > picture["zero"])
    assert len(picture["ticks"]) <= charts.MOST_TICKS + 1
    assert charts.arrange_intervals([])["rows"] == []


def test_arrange_intervals_of_one_seed_shows_the_gain_alone():
    (row,) = charts.arrange_intervals(list_findings(make_runs({"ra": (70,), "ra+syn": (75,)})))[
        "rows"
    ]
    assert row["seeds"] == [None, None] and 0 < row["gain"] < 100


def test_trace_losses_thins_long_curves_and_leaves_out_what_is_not_finite():
    losses = np.append(1 / np.arange(1.0, 5001), np.nan)
    curve = charts.trace_losses(np.arange(1, 5002), losses)
    assert len(curve["points"].split()) <= charts.POINTS and curve["steps"] == "5,000"
    assert "nan" not in curve["points"] + curve["mean"]
    assert charts.trace_losses(np.array([1]), np.array([0.5])) == {}


@pytest.mark.parametrize("k", [2, charts.CELLS, charts.CELLS + 1, 300])
def test_format_confusion_is_a_table_of_few_classes_and_a_picture_of_many(k):
    counts = np.eye(k, dtype=np.int64) * 3
    counts[0] = 0  # a class without images
    shades = charts.format_confusion([str(i) for i in range(k)], counts)
    if k > charts.CELLS:
        assert shades["picture"].startswith("data:image/png;base64,")
    else:
        assert [row["cells"][i]["share"] for i, row in enumerate(shades["rows"])][1:] == [100] * (
            k - 1
        )


def test_compare_recalls_puts_the_largest_gain_first():
    rows = charts.compare_recalls([{"a": 50.0, "b": 50.0}], [{"a": 40.0, "b": 70.0}])
    assert [(row["name"], row["gain"]) for row in rows] == [("b", 20), ("a", -10)]


def test_describe_mixture_lets_later_edits_cover_earlier_ones():
    coarse = [{"donor": 1, "first": 3, "last": 9}, {"donor": 2, "first": 8, "last": 9}]
    fine = [{"donor": 3, "row": 5, "first": 0, "last": 7}]
    mixture = mixtures.describe_mixture({"base": 0, "coarse": coarse, "fine": fine})
    assert mixture["parts"] == [[0, 0, 2], [1, 3, 7], [2, 8, 9], [0, 10, 76]]
    assert mixture["fine"] == [[3, 5, 0, 7]]
    assert mixtures.list_captions_used(mixture) == {0, 1, 2, 3}


def test_describe_mixture_of_a_caption_that_is_not_mixed():
    mixture = mixtures.describe_mixture({"base": 4, "coarse": [], "fine": []})
    assert mixture == {"base": 4, "parts": [[4, 0, 76]], "fine": []}


def make_table_of(labels, scores=None) -> pa.Table:
    names = [f"class {label}" for label in labels]
    table = pa.table({"label": labels, "class_name": names})
    return table if scores is None else table.append_column("clip_probability", pa.array(scores))


def test_pick_shown_spreads_over_the_ranks_of_each_class():
    table = make_table_of([0] * 5 + [1] * 2, [0.1, 0.9, 0.5, 0.7, 0.3, 0.2, 0.8])
    assert selection.pick_shown(table, 3) == [1, 2, 0, 6, 5]
    assert selection.pick_shown(table, 1) == [1, 6]


@pytest.mark.parametrize(
    "classes, kinds, most", [(10, 3, 24), (300, 3, 1), (300, 2, 2), (9999, 3, 1)]
)
def test_count_shown_bounds_the_gallery(classes, kinds, most):
    assert selection.count_shown(classes, kinds) == most


def test_find_nearest_names_a_copy_of_the_same_class():
    data = [draw_png(seed) for seed in range(4)]
    pictures = {row: thumbnails.make_thumbnail(each) for row, each in enumerate(data)}
    queries = {7: pictures[2], 8: pictures[3]}
    nearest = thumbnails.find_nearest(queries, {7: 0, 8: 0}, pictures, [0, 0, 0, 1])
    assert nearest[7] == (2, 0.0)
    assert nearest[8][0] != 3 and nearest[8][1] > 0, "an image of another class"


def test_make_thumbnail_is_small_and_keeps_tiny_pictures_as_they_are():
    small, large = (thumbnails.make_thumbnail(draw_png(0, side=side)) for side in (32, 400))
    assert small.suffix == ".png" and large.suffix == ".webp"
    assert len(large.data) < 30_000 and not small.grey
    assert thumbnails.make_thumbnail(draw_png(0), grey=True).grey


def test_compare_settings_lists_what_differs():
    defaults = {"unet": {"steps": 9, "dropout": {"text": 0.1}}, "models": {"clip": "x"}}
    settings = {"unet": {"steps": 9, "dropout": {"text": None}, "seed": 4}, "models": {"clip": "y"}}
    assert facts.compare_settings(settings, defaults) == [
        ("unet.dropout.text", "–", "0.1"),
        ("models.clip", "y", "x"),
    ]


def test_recalls_without_images_are_left_out():
    assert charts.compare_recalls([{"a": math.nan}], [{"a": 1.0}]) == []


def test_collect_tables_leaves_out_a_further_table_whose_runs_do_not_fit(tmp_path, monkeypatch):
    """Runs beyond the first table are as they lie there, maybe of settings that have changed."""
    monkeypatch.chdir(tmp_path)
    config = make_config()
    write_runs(config, ["a", "b"])
    (own,) = read_report(config)["datasets"].values()
    first = json.loads(Path(own["runs"]["table1"][0]).read_text())
    for seed in (0, 1):
        file = tmp_path / f"results/mine/classifiers/wrn-10-1/aa+pretrained/{seed}.json"
        file.parent.mkdir(exist_ok=True, parents=True)
        record = {**first, "arm": "aa+pretrained", "seed": seed, "settings": str(seed)}
        file.write_text(json.dumps(record))
    rows = own["rows"] | {"table4": [["mine", "wrn-10-1"]]}
    runs = own["runs"] | {"table4": [str(file.with_stem(str(seed))) for seed in (0, 1)]}
    tables, faults = collect.collect_tables(own | {"rows": rows, "runs": runs}, 1, 0.95)
    assert [table["number"] for table in tables] == ["1"]
    ((number, fault),) = faults
    assert number == "4" and "settings differs" in fault
