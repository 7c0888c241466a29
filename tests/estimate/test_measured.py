"""What a rehearsal measured is read from its logs, and makes the whole run's hours."""

import pytest
from mvc.console.progress import Meter, format_duration
from mvc.estimate.cost import Line, Size
from mvc.estimate.measured import (
    Measured,
    count_items,
    format_measured,
    list_shortages,
    measure_job,
    measure_jobs,
)

TSV = "s\th:m:s\tmax_rss\tcpu_time\n75.0\t0:01:15\t1000\t60\n"


@pytest.fixture
def rehearsed(tmp_path, monkeypatch):
    """The log of a captions job: 50 images in 65 s of its 75."""
    monkeypatch.chdir(tmp_path)
    log, tsv = (f"{folder}/rehearsal-photos/captions" for folder in ("logs", "results/benchmarks"))
    for file, text in (
        (
            f"{log}.log",
            "50 of 50 images  46.2/min  in 1 min 5 s\nGPU memory at most: 7.1 of 8.6 GB\n",
        ),
        (f"{tsv}.tsv", TSV),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")


def test_a_job_is_its_fixed_time_and_its_rate(rehearsed):
    (job,) = measure_jobs("photos")
    assert job == Measured("captions", 10.0, 1.3, "images", 1000 * 2**20 / 1e9, (7.1, 8.6))
    page = format_measured("photos", [job], {"captions": (1, 3600)})
    assert "1.30" in page and "7.1 of 8.6 GB" in page  # hours: 10 s and 3,600 times 1.3 s


@pytest.mark.parametrize("seconds", [0.4, 45.2, 61.0, 200.0, 7500.0])
def test_what_the_meter_prints_is_read(seconds, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    meter = Meter(1200, "steps")
    meter.started -= seconds
    meter.show(1200, "loss 0.2")
    log, tsv = tmp_path / "logs/rehearsal-a/unet.log", tmp_path / "unet.tsv"
    log.parent.mkdir(parents=True)
    log.write_text(capsys.readouterr().out, encoding="utf-8")
    tsv.write_text(TSV.replace("75.0", "9000"), encoding="utf-8")
    job = measure_job(log.relative_to(tmp_path), tsv)
    assert 1200 * job.each == pytest.approx(seconds, rel=0.02), format_duration(seconds)


def test_items_are_counted_in_the_units_of_the_logs():
    run = {"extra": None, "steps": 100, "epochs": None, "batch_size": 32}
    settings = {
        "runs": [run, {**run, "extra": "finetuned"}],
        "banks": {"per_real": 4, "per_class": None},
        "unet": {"steps": 900, "steps_per_image": 6},
        "synthetic": {"shards": 2},
        "policies": None,
        "shown": False,
    }
    counts = count_items(settings, Size((10, 10), 5, 32))
    assert counts["unet"] == (1, 120) and counts["synthetic"] == (2, 80)
    shown = count_items(settings | {"shown": True}, Size((10, 10), 5, 32))
    assert shown["synthetic"] == (4, 160), "Figures 1 and 5 show the pre-trained generator's, too"
    assert counts["classifiers"] == (2, 200) and counts["captions"] == (1, 20)


def test_a_disk_too_small_is_told():
    lines = [
        Line("a", "unet", 1, 1, "steps", 1, 3e9),
        Line("a", "synthetic", 1, 1, "images", 1, 2e9),
    ]
    assert list(list_shortages(lines, 6e9)) == []
    (line,) = list_shortages(lines, 4e9)
    assert "5.0 GB are needed and 4.0 GB free" in line
