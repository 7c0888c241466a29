"""Watching changes no training, and what fails in it ends none."""

import os
import signal

import numpy as np
import pytest
import tiny
import torch
import tuning
from accelerate import Accelerator
from accelerate.tracking import GeneralTracker
from mvc.core import image_tables
from mvc.figures import watching
from mvc.unet.validation import Validation
from mvc.unet.watch import Watch
from PIL import Image
from safetensors.torch import load_file
from tiny_training import DRAWING, make_pool, trainer, weights

STEPS = 8
ERROR = torch.OutOfMemoryError("CUDA out of memory.")


@pytest.fixture(scope="module")
def pool():
    return make_pool()


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    tuning.inputs(folder)
    cfg = {**tuning.CFG, "diffusion": str(folder / "stable-diffusion")}
    train = image_tables.read(folder / tuning.INPUTS["images"])
    return cfg, train, load_file(folder / tuning.INPUTS["embeddings"]), tiny.vae()


def watch_training(t, pool, scene, folder, *, state=None, **wanted):
    """Train under a watch, and return the losses."""
    cfg, train, embeddings, vae = scene
    watch = Watch(**tuning.WATCH | wanted, folder=str(folder), start=watching.start_watching)
    shown = []
    inputs = {"train": train, "embeddings": embeddings}
    with watch.start(watch, t, vae, cfg, **inputs, show=lambda *s: shown.append(s)) as look:
        losses = t.train(pool, state or folder / "state", look, **DRAWING)
    assert [loss for _, loss in shown] == pytest.approx(losses[-len(shown) :].tolist())
    return losses


@pytest.fixture(scope="module")
def whole(pool, tmp_path_factory):
    t = trainer(steps=STEPS)
    folder = tmp_path_factory.mktemp("whole")
    return t.train(pool, folder / "state", lambda step, loss: None, **DRAWING), weights(t)


def name_pictures(folder):
    return sorted(path.name for path in (folder / "samples").iterdir())


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_samples_change_no_digit_of_the_training(pool, scene, tmp_path, kind):
    plain, t = (trainer(steps=STEPS, train=kind) for _ in range(2))
    expected = plain.train(pool, tmp_path / "state", lambda step, loss: None, **DRAWING)
    before = torch.get_rng_state()
    losses = watch_training(t, pool, scene, tmp_path, sample_every=3)
    assert torch.equal(losses, expected) and torch.equal(weights(t), weights(plain))
    assert t.unet.training and torch.equal(torch.get_rng_state(), before)
    names = ["step-000000.png", "step-000003.png", "step-000006.png"]
    assert name_pictures(tmp_path) == names
    first, *later = [Image.open(tmp_path / "samples" / name) for name in names]
    assert all(first.size == picture.size for picture in later)


def test_random_numbers_that_a_picture_draws_are_not_the_training_s(
    pool, scene, tmp_path, monkeypatch
):
    def draw(*arguments, **named):
        torch.rand(100)
        return Image.new("RGB", (4, 4))

    monkeypatch.setattr("mvc.figures.finetuning.sample_captions", draw)
    t = trainer(steps=STEPS)
    before = torch.get_rng_state()
    watch_training(t, pool, scene, tmp_path, sample_every=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_are_those_of_the_averaged_weights(pool, scene, tmp_path, monkeypatch):
    seen = {}
    t = trainer(steps=2)

    def draw(sampler, *arguments, title, **named):
        assert not sampler.unet.training
        average = torch.cat([weight.flatten() for weight in t.ema.shadow_params])
        seen[title] = torch.equal(weights(t), average) and t.step
        return Image.new("RGB", (4, 4))

    monkeypatch.setattr("mvc.figures.finetuning.sample_captions", draw)
    watch_training(t, pool, scene, tmp_path, sample_every=2)
    assert seen == {"step 000000": 0, "step 000002": 2}


def test_a_restart_draws_what_is_missing_and_nothing_twice(pool, scene, tmp_path, monkeypatch):
    drawn = []

    def draw(*arguments, title, **named):
        drawn.append(title)
        return Image.new("RGB", (4, 4))

    monkeypatch.setattr("mvc.figures.finetuning.sample_captions", draw)
    first = trainer(steps=STEPS)
    update = first.update

    def interrupted(batch, stop):
        if first.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(batch, stop)

    monkeypatch.setattr(first, "update", interrupted)
    with pytest.raises(SystemExit):
        watch_training(first, pool, scene, tmp_path, sample_every=2)
    second = trainer(steps=STEPS)
    second.load_checkpoint(tmp_path / "state")
    watch_training(second, pool, scene, tmp_path, sample_every=2)
    assert drawn == [f"step {step:06}" for step in (0, 2, 4, 6, 8)]
    (tmp_path / "samples/step-000004.png").unlink()
    third = trainer(steps=STEPS)
    third.load_checkpoint(tmp_path / "state")
    watch_training(third, pool, scene, tmp_path, sample_every=2)
    assert drawn[5:] == [f"step {step:06}" for step in (4, 6, 8)]


@pytest.mark.parametrize(
    "where", ["mvc.figures.finetuning.sample_captions", "PIL.Image.Image.save"]
)
def test_a_picture_that_fails_is_said_and_ends_nothing(
    pool, scene, whole, tmp_path, monkeypatch, capsys, where
):
    def fail(*arguments, **named):
        raise ERROR

    monkeypatch.setattr(where, fail)
    t = trainer(steps=STEPS)
    losses = watch_training(t, pool, scene, tmp_path, sample_every=4)
    assert torch.equal(losses, whole[0]) and torch.equal(weights(t), whole[1])
    said = capsys.readouterr().out
    assert said.count("no samples to look at: OutOfMemoryError") == 3 and "step 4" in said


def test_nothing_is_drawn_by_default(pool, scene, tmp_path):
    watch_training(trainer(steps=2), pool, scene, tmp_path / "none", state=tmp_path / "state")
    assert not (tmp_path / "none").exists()


class Fake(GeneralTracker):
    """A tracker of accelerate's that keeps what it is given, and fails where it is told to."""

    name = "fake"
    requires_logging_directory = False
    tracker = None

    def __init__(self, failing=()):
        super().__init__()
        self.failing = failing
        self.logged, self.pictures, self.ended = {}, {}, False

    def attempt(self, what):
        if what in self.failing:
            raise ERROR

    def start(self):
        self.attempt("start")

    def log(self, values, step):
        self.attempt("log")
        self.logged[step] = values

    def log_images(self, values, step):
        self.attempt("log_images")
        self.pictures[step] = values

    def finish(self):
        self.attempt("finish")
        self.ended = True


def track(pool, scene, folder, fake):
    accelerator = Accelerator(cpu=True, log_with=fake)
    t = trainer(steps=STEPS, accelerator=accelerator)
    batch = tiny_pairs(pool)
    t.validation = Validation(batch, every=4, steps=STEPS, at_once=4)
    losses = watch_training(t, pool, scene, folder, sample_every=4, tracker="fake")
    accelerator.end_training()
    return losses, t


def tiny_pairs(pool):
    from mvc.unet.pairs import draw_batch

    return draw_batch(pool, step=99, **DRAWING)


def test_the_tracker_gets_numbers_and_pictures(pool, scene, whole, tmp_path):
    fake = Fake()
    losses, t = track(pool, scene, tmp_path, fake)
    assert torch.equal(losses, whole[0]) and torch.equal(weights(t), whole[1])
    assert list(fake.logged) == list(range(1, STEPS + 1)) and fake.ended
    assert [v["loss"] for v in fake.logged.values()] == pytest.approx(losses.tolist())
    assert [s for s, v in fake.logged.items() if "validation_loss" in v] == [4, 8]
    assert fake.logged[4]["validation_loss"] == t.validation.losses[3]
    assert fake.logged[1]["learning_rate"] == pytest.approx(5e-4)  # of the second step
    assert all(np.isfinite(v["grad_norm"]) and v["grad_norm"] > 0 for v in fake.logged.values())
    assert list(fake.pictures) == [0, 4, 8]
    assert fake.pictures[0]["samples"].ndim == 4 and fake.pictures[0]["samples"].shape[-1] == 3


@pytest.mark.parametrize("failing", ["start", "log", "log_images", "finish"])
def test_a_tracker_that_fails_is_said_once_and_ends_nothing(
    pool, scene, whole, tmp_path, capsys, failing
):
    losses, t = track(pool, scene, tmp_path, Fake([failing]))
    assert torch.equal(losses, whole[0]) and torch.equal(weights(t), whole[1])
    assert capsys.readouterr().out.count("the tracker is used no longer (unet.tracker)") == 1
    assert len(name_pictures(tmp_path)) == 3


def test_name_folder_is_that_of_the_checkpoint(tmp_path):
    state = tmp_path / ".weights.safetensors.checkpoint-0123456789abcdef.safetensors"
    assert watching.name_folder("logs/pets/unet.log", state) == "logs/pets/unet/01234567"


@pytest.mark.parametrize("mode", ["online", None])
def test_wandb_needs_no_login_unless_the_user_says_so(monkeypatch, tmp_path, mode):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    options = watching.list_options(tmp_path, 3, {"steps": 5})["wandb"]
    assert options["mode"] == (mode or "offline") and options["config"] == {"steps": 5}


def run_with(tracker, pool, scene, folder, monkeypatch, steps):
    monkeypatch.setenv("WANDB_SILENT", "true")
    accelerator = Accelerator(cpu=True, log_with=tracker, project_dir=folder)
    t = trainer(steps=STEPS, accelerator=accelerator)
    t.load_checkpoint(folder / "state")
    t.steps = steps
    watch_training(t, pool, scene, folder, sample_every=4, tracker=tracker)
    t.save_checkpoint(folder / "state")


def test_tensorboard_has_curves_and_pictures_that_go_on_after_a_restart(
    pool, scene, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for steps in (5, 8):
        run_with("tensorboard", pool, scene, tmp_path, monkeypatch, steps)
    assert "warning" not in capsys.readouterr().out
    events = EventAccumulator(str(tmp_path / "mvc"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 9))
    assert {"learning_rate", "grad_norm"} <= {*events.Tags()["scalars"]}
    assert [event.step for event in events.Images("samples")] == [0, 4, 8]


def test_wandb_writes_offline(pool, scene, tmp_path, monkeypatch, capsys):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run_with("wandb", pool, scene, tmp_path, monkeypatch, 4)
    assert "warning" not in capsys.readouterr().out
    assert [*tmp_path.rglob("offline-run-*/*.wandb")]
