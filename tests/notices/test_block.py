"""What a run tells about data and models: from which facts, how much of it, and where."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mvc.notices.block import (
    MOST,
    TITLE,
    collect_notices,
    format_after_images,
    format_page,
    format_terminal,
)
from mvc.notices.generation import (
    check_captions,
    check_clip,
    check_constant,
    check_losses,
    check_pixels,
    check_stop,
    check_tokens,
)
from mvc.notices.notice import FIRST, SECOND, Notice
from mvc.notices.results import list_result_notices

DROPPED = {"of_test": 0, "repeated": 0, "contradictory": 0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path("results")


def write_report(folder: Path, name="photos", *, dropped=None, train=(8, 8), **more) -> Path:
    classes = ["cat", "dog"]
    counts = {name: {"count": n, "first": []} for name, n in (DROPPED | (dropped or {})).items()}
    part = {"images": sum(train), "per_class": dict(zip(classes, train, strict=True))}
    report = {"found": 20, "classes": classes, "copies_dropped": counts, "warnings": []}
    report |= {"splits": {"train": part, "validation": {"images": 0}, "test": {"images": 4}}}
    path = folder / name / "images/report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report | more), encoding="utf-8")
    return path


def test_after_images_says_what_is_trained_on_even_where_nothing_is_wrong(folder):
    path = write_report(folder)
    assert "16 training images of 2 classes (cat, dog)" in format_after_images(path)
    assert format_terminal(collect_notices([path])) == format_page(collect_notices([path])) == ""


def test_copies_of_test_images_come_first_and_name_their_file(folder):
    path = write_report(folder, dropped={"of_test": 244, "repeated": 2}, warnings=["odd sizes"])
    found = collect_notices([path])
    assert [notice.file for notice in found["photos"]] == [str(path)] * 3
    assert found["photos"][0].rank == FIRST and "244" in found["photos"][0].text
    assert "left out: 246 copies" in format_after_images(path)


@pytest.mark.parametrize(
    ("fact", "word"),
    [
        ({"skipped": {"count": 3, "first": []}}, "images.unreadable"),
        ({"not_used": {"count": 3, "first": ["a.txt"]}}, "a.txt"),
        ({"converted": {"16-bit": 3, "suffix": 9}}, "3 16-bit"),
        ({"train": (30, 3)}, "unequal"),
        ({"dropped": {"contradictory": 2}}, "two classes"),
    ],
)
def test_what_the_report_counts_is_said(folder, fact, word):
    found = collect_notices([write_report(folder, **fact)])
    assert len(found["photos"]) == 1 and word in format_page(found)


def test_warnings_of_one_kind_become_one_line(folder):
    path = write_report(folder, warnings=[f"class 'c{i}' has one training image" for i in range(9)])
    (notice,) = collect_notices([path])["photos"]
    assert "'c0'" in notice.text and "8 more" in notice.text


def test_subsets_share_a_line_though_their_numbers_differ(folder):
    paths = [write_report(folder, f"a-{i}", dropped={"of_test": 5 + i}) for i in range(8)]
    page = format_page(collect_notices(paths))
    assert page.count("- ") == 1 and "a-0 … a-7" in page


def test_a_long_block_ends_with_how_many_more_and_where():
    kinds = "abcdefghijklmnopqrst"
    text = format_terminal({"photos": [Notice(kind * 3, f"{kind}.json") for kind in kinds]})
    assert TITLE in text and text.count("\n  - ") == MOST
    assert f"and {len(kinds) - MOST} more" in text.splitlines()[-1] and "m.json" in text


def test_collect_ignores_files_that_are_missing_or_of_another_kind(folder):
    path = write_report(folder, warnings=["w"])
    others = ["results/tables/table1.csv", "results/b/images/report.json", "x.json", "results"]
    assert list(collect_notices([path, *others])) == ["photos"]


def test_samples_that_could_not_be_drawn_are_a_notice(folder):
    path = folder / "photos/unet/report.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"warnings": []}), encoding="utf-8")
    assert collect_notices([path]) == {}
    path.write_text(json.dumps({"warnings": ["no samples"]}), encoding="utf-8")
    assert collect_notices([path]) == {"photos": [Notice("no samples", str(path))]}


@pytest.mark.parametrize("text", ["a placeholder", "{}", "[1]", ""])
def test_a_damaged_file_is_named_and_does_not_end_a_run(folder, text):
    path = write_report(folder)
    others = [folder / "photos/notices.json", folder / "photos/classifiers/net/ra/0.json"]
    others[1].parent.mkdir(parents=True)
    for file in (path, *others):
        file.write_text(text, encoding="utf-8")
    assert str(path) in format_after_images(path)
    for file in (path, *others):
        assert text == "{}" or str(file) in format_terminal(collect_notices([file]))


def test_captions_empty_alike_or_of_several_sources():
    labels, own = [0, 0, 0, 1, 1, 1], ["own.csv"] * 6
    varied = ["a", "b", "c", "d", "e", "f"]
    assert not check_captions(varied, labels, own, "f")
    assert not check_captions([""] * 6, labels, ["none"] * 6, "f")
    assert "1 of 2 classes" in check_captions(["a", "a", "a", *"def"], labels, own, "f")[0].text
    assert "1 of 6" in check_captions(["", *varied[1:]], labels, own, "f")[0].text
    (notice,) = check_captions(varied, labels, [*own[1:], "blip2"], "f")
    assert "1 by blip2" in notice.text


def test_prompts_that_are_cut_are_counted():
    assert not check_tokens(np.array([12, 77]), 77, "f")
    assert "1 of 2 prompts" in check_tokens(np.array([12, 90]), 77, "f")[0].text


def test_a_clip_at_or_below_chance_is_reported_with_the_key():
    assert not check_clip(np.full(9, 0.6), 5, "f") and not check_clip(np.array([]), 5, "f")
    (notice,) = check_clip(np.full(9, 0.05), 5, "f")
    assert "0.05" in notice.text and "0.20" in notice.text and "select: first" in notice.text


def test_a_loss_that_rises_is_reported_and_one_that_is_noisy_is_not():
    noise = np.random.default_rng(0).normal(0, 0.1, 400)
    assert not check_losses(0.3 + noise, "f")
    assert check_losses(0.3 + noise + np.linspace(0, 1, 400), "f")


def test_an_early_stop_says_which_weights_it_kept_and_a_missing_one_what_it_would_have():
    losses = pd.DataFrame({"step": range(1, 9), "loss": 0.2})
    assert not check_stop(losses, None, "f")
    losses["validation_loss"] = [None, 0.20, None, 0.21, None, 0.22, None, 0.25]
    (notice,) = check_stop(losses, {"step": 2, "validation_loss": 0.2}, "f")
    assert "after 8 steps" in notice.text and "weights of step 2," in notice.text
    (notice,) = check_stop(losses, None, "f")
    assert "lowest at step 2 of 8" in notice.text and "25% higher" in notice.text
    losses["validation_loss"] = [None, 0.25, None, 0.24, None, 0.22, None, 0.23]
    assert not check_stop(losses, None, "f")


def test_blank_images_and_colours_of_grey_data():
    rng = np.random.default_rng(0)
    grey = [np.repeat(rng.integers(0, 255, (8, 8, 1)), 3, axis=2) for _ in range(4)]
    coloured = [rng.integers(0, 255, (8, 8, 3)) for _ in range(4)]
    assert not check_pixels(grey, grey, "f") and not check_pixels(coloured, coloured, "f")
    assert "grey" in check_pixels(coloured, grey, "f")[0].text
    blank = np.zeros((8, 8, 3)) + np.arange(3)
    assert "1 of 5" in check_pixels([*grey, blank], grey, "f")[0].text


def test_constant_images_are_counted_over_all_shards():
    assert not check_constant(0, 50, "f")
    (few,), (many,) = check_constant(5, 50, "f"), check_constant(6, 50, "f")
    assert "5 of 50" in few.text and (few.rank, many.rank) == (SECOND, FIRST)


def make_run(arm: str, accuracy: float, train: float, **more) -> dict:
    classes = {"cat": accuracy, "dog": accuracy}
    run = {"model": "net", "arm": arm, "accuracy": accuracy, "train_accuracy": train}
    return run | {"per_class": classes, "n_test": 400, "file": f"{arm}.json", **more}


def test_runs_that_guess_or_know_their_training_images_by_heart():
    assert not list_result_notices([make_run("ra", 90, 95)])
    guess, gap = list_result_notices([make_run("ra", 51, 99), make_run("aa", 90, 95)])
    assert guess.file == gap.file == "ra.json" and "1 of 2 arms" in guess.text
    (warning,) = list_result_notices([make_run("ra", 90, 95, warnings=["30 test images"])])
    assert warning.text == "30 test images"
