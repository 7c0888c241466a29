"""Generation: an image depends on its global index alone; provenance rebuilds it."""

import hashlib
import shutil

import numpy as np
import pyarrow as pa
import pytest
import tiny
import torch
from mvc.banks import mixing
from mvc.banks.recipes import tabulate_recipes
from mvc.core import counts, image_tables
from mvc.core.pixels import choose_side, encode, load
from mvc.models.stable_diffusion import load_solver, load_unet, load_vae, widen
from mvc.synthetic import controls, plan, sampler
from safetensors.torch import load_file, save_file

LABELS = [0, 0, 0, 1, 1]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Five training images of two classes, their embeddings, a bank of ten, tiny models."""
    folder = tiny.stable_diffusion(tmp_path_factory.mktemp("stable-diffusion"))
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (5, 3, 32, 32), generator=rng, dtype=torch.uint8)
    train = image_tables.build_table(
        data=encode(pixels, grayscale=False),
        labels=LABELS,
        class_names=["cat" if label == 0 else "dog" for label in LABELS],
        image_ids=[f"train/{i}" for i in range(5)],
    )
    captions = pa.table({"prompt": [f"caption {i}" for i in range(5)]})
    tokens = torch.randn(5, 7, tiny.TEXT, generator=rng).half()
    counts = {label: 2 * LABELS.count(label) for label in LABELS}
    options = dict(counts=counts, coarse=1, fine=2, rows="all", base="uniform", seed=0)
    rows = [*mixing.mix_classes(LABELS, tokens, torch.full((5,), 7), **options)]
    bank = tabulate_recipes(rows, [0.0] * len(rows))
    wide = widen(load_unet(folder, text_width=tiny.TEXT), tiny.LATENT)
    torch.nn.init.normal_(wide.conv_in.weight, std=0.2)
    wide.save_pretrained(f"{folder}/wide")
    null = torch.randn(7, tiny.TEXT, generator=rng).half()
    return dict(folder=folder, train=train, captions=captions, tokens=tokens, null=null, bank=bank)


def make(world, generator, *, shards_=1, batch_size=4, only=None, **options):
    """All shards of a set, one after the other, as tables."""
    folder = world["folder"]
    loaded = sampler.Sampler(
        unet=load_unet(
            folder if generator == "pretrained" else f"{folder}/wide", text_width=tiny.TEXT
        ),
        vae=load_vae(folder),
        solver=load_solver(folder),
        tokens=world["tokens"],
        null=world["null"],
        sampling=sampler.Sampling(4, "text", 3.0, 1.0, batch_size),
    )
    tables = []
    for shard in range(shards_) if only is None else [only]:
        part = dict(shard=shard, shards=shards_, seed=5, **options)
        made = plan.make_plan(generator, world["bank"], LABELS, **part)
        files = [*sampler.sample_files(loaded, made, world["train"], resolution=32, side=28)]
        tables.append(
            plan.tabulate_images(
                made,
                files,
                train=world["train"],
                captions=world["captions"],
                digest="abc",
                guidance="text 3.0",
                steps=4,
                clip_probability=[0.5] * len(files),
            )
        )
    return pa.concat_tables(tables)


@pytest.mark.bitwise
@pytest.mark.parametrize("generator", ["finetuned", "pretrained"])
def test_shards_and_batches_change_nothing(world, generator):
    """Which seed made image k of a batch (diffusers #208, #612, #3158, #6233)."""
    one = make(world, generator)
    assert one.equals(make(world, generator, shards_=3))
    assert one.equals(make(world, generator, shards_=5, batch_size=1))
    assert one.equals(make(world, generator, batch_size=16))
    alone = make(world, generator, shards_=5, only=3)
    assert one.slice(6, 2).equals(alone)


def test_rows_tell_where_an_image_comes_from(world):
    """Diff-Mix does not record the source image, and labels a whole batch with one label."""
    table = make(world, "finetuned").to_pylist()
    class_of = {f"train/{i}": label for i, label in enumerate(LABELS)}
    for i, row in enumerate(table):
        assert row["bank_id"] == i and row["image_id"] == f"finetuned/{i:07d}"
        assert class_of[row["source_image_id"]] == row["label"]
        assert row["class_name"] == ("cat" if row["label"] == 0 else "dog")
        assert row["sha256"] == hashlib.sha256(row["image"]["bytes"]).hexdigest()
        assert (row["generator"], row["generator_digest"], row["steps"]) == ("finetuned", "abc", 4)
    assert [row["label"] for row in table] == [0] * 6 + [1] * 4
    assert len({row["seed"] for row in table}) == len(table)


def test_pretrained_images_come_from_unmixed_captions(world):
    table = make(world, "pretrained").to_pylist()
    assert all(row["bank_id"] is None for row in table)
    for row in table:
        assert row["caption"] == f"caption {row['source_image_id'].removeprefix('train/')}"


def test_noise_differs_between_images_classes_and_generators():
    """DataDream reseeds for every class, so that all classes share their noise."""
    seeds = [
        plan.derive_noise_seed(0, g, i) for g in ("finetuned", "pretrained") for i in range(50)
    ]
    assert len(set(seeds)) == 100
    noise = sampler.draw_noise(seeds, (4, 8, 8))
    assert abs(float(noise.mean())) < 0.05 and abs(float(noise.std()) - 1) < 0.05
    assert torch.equal(noise[7:8], sampler.draw_noise(seeds[7:8], (4, 8, 8)))


def test_sources_are_uniform_over_the_class():
    labels, pool = [1] * 3000, [0, 1, 1, 0, 1]
    chosen = plan.choose_sources(range(3000), labels, pool, seed=0, stream="s")
    counts = np.bincount(chosen, minlength=5)
    assert counts[0] == counts[3] == 0
    assert all(abs(counts[i] - 1000) < 130 for i in (1, 2, 4))
    with pytest.raises(ValueError, match="no training image of class 2"):
        plan.choose_sources([0], [2], pool, seed=0, stream="s")


@pytest.mark.parametrize("total, count", [(10, 3), (2, 5), (0, 2), (7, 7)])
def test_shards_cover_all_indices_once(total, count):
    ranges = [counts.slice_shard(total, shard, count) for shard in range(count)]
    assert [i for r in ranges for i in r] == list(range(total))
    with pytest.raises(ValueError, match=f"shard = {count}; must be"):
        counts.slice_shard(total, count, count)


def test_images_are_stored_at_the_data_sets_size():
    pixels = torch.zeros(2, 3, 28, 28, dtype=torch.uint8)
    files = encode(pixels, grayscale=True)
    assert choose_side(files, resolution=32) == 28
    assert choose_side(files, resolution=16) == 16
    files += encode(pixels[..., :20], grayscale=True)
    assert choose_side(files, resolution=32) == 32


def test_real_images_in_a_sets_place(world):
    extra = world["train"]
    table = controls.take_further_images(extra, extra, [0, 0, 1], shard=0, shards=1)
    assert table["image_id"].to_pylist() == ["train/0", "train/1", "train/3"]
    with pytest.raises(ValueError, match="class 'dog' has 2 further real images.*need 3"):
        controls.take_further_images(extra, extra, [1, 1, 1], shard=0, shards=1)


@pytest.mark.bitwise
def test_real_vae_is_the_same_in_any_batch_and_shard(world):
    vae, size = load_vae(world["folder"]), {"side": 32}
    files = image_tables.get_bytes(world["train"])
    (whole,) = controls.reconstruct(vae, files, range(5), batch_size=5, **size)
    (same,) = controls.reconstruct(vae, files, range(5), batch_size=3, **size)
    (part,) = controls.reconstruct(vae, files[3:], range(3, 5), batch_size=5, **size)
    assert torch.equal(whole, same) and torch.equal(whole[3:], part)


@pytest.mark.parametrize("share, each", [(0, 0), (0.5, 3), (0.25, 1), (1, 6)])
def test_the_mixed_set_has_its_share_of_each_class(world, share, each):
    mask = plan.assign_entries("mixed", world["bank"], share)
    assert (mask["finetuned"] ^ mask["pretrained"]).all(), "each entry is drawn by one generator"
    labels = np.array(world["bank"]["label"].to_pylist())
    assert (labels == 0).sum() == 6 and mask["pretrained"][labels == 0].sum() == each


def test_images_of_the_mixed_set_are_those_of_the_pure_sets(world):
    """In other rows of other batches, so that a value may be rounded to its neighbour."""
    mask = plan.assign_entries("mixed", world["bank"], 0.5)
    pure = {generator: make(world, generator) for generator in mask}
    whole = []
    for shard in range(3):
        part = [
            make(world, generator, shards_=3, only=shard, wanted=wanted)
            for generator, wanted in mask.items()
        ]
        whole.append(plan.merge_parts(part))
    mixed = pa.concat_tables(whole)
    assert len(mixed) == len(world["bank"])
    for i, row in enumerate(mixed.to_pylist()):
        generator = "pretrained" if mask["pretrained"][i] else "finetuned"
        same = pure[generator].slice(i, 1).to_pylist()[0]
        images = [load([of.pop("image")["bytes"]], size=28).int() for of in (row, same)]
        assert (images[0] - images[1]).abs().max() <= 1
        assert row | {"sha256": ""} == same | {"sha256": ""}


@pytest.mark.bitwise
def test_shards_of_the_mixed_set_change_nothing(world):
    for generator, wanted in plan.assign_entries("mixed", world["bank"], 0.5).items():
        one, many = (make(world, generator, shards_=n, wanted=wanted) for n in (1, 3))
        assert len(one) == wanted.sum() and one.equals(many)


def test_reconstructed_images_are_the_training_images_in_turn(world):
    labels = world["bank"]["label"].to_pylist()
    parts = [
        controls.repeat_training_images(world["train"], labels, shard=s, shards=2) for s in range(2)
    ]
    table = pa.concat_tables(parts)
    assert table["label"].to_pylist() == labels
    ids = table["image_id"].to_pylist()
    assert (
        ids[:6] == ["train/0", "train/1", "train/2"] * 2 and ids[6:] == ["train/3", "train/4"] * 2
    )


def solve_images(world, **options):
    """Latents of two images by the fine-tuned U-Net, and the branches evaluated in each step."""
    unet, seen = load_unet(f"{world['folder']}/wide", text_width=tiny.TEXT), []

    def count(latents, *arguments, **conditions):
        seen.append(len(latents) // 2)
        return unet(latents, *arguments, **conditions)

    rng = torch.Generator().manual_seed(3)
    settings = dict(steps=6, mode="text", scale=3.0, image_scale=1.0)
    solver = load_solver(world["folder"], order=options.pop("order", 2), karras=False)
    noise, image = torch.randn(2, 2, tiny.LATENT, 8, 8, generator=rng)
    latents = sampler.solve(
        count,
        solver,
        noise,
        text=world["tokens"][:2].float(),
        null=world["null"].float(),
        image=image,
        **settings | options,
    )
    return latents, seen, sampler.list_levels(solver, 6)


def test_solve_guides_in_the_interval_alone(world):
    """Kynkaanniemi et al. 2024: at noise levels low < sigma <= high, elsewhere scale 1."""
    whole, branches, levels = solve_images(world)
    assert branches == [2] * 6 and levels == sorted(levels, reverse=True)
    interval = [levels[4], levels[2]]
    some, branches, _ = solve_images(world, interval=interval)
    assert branches == [1, 1, 2, 2, 1, 1]
    none, _, _ = solve_images(world, scale=1)
    assert not torch.allclose(some, whole) and not torch.allclose(some, none)
    every, branches, _ = solve_images(world, interval=[0, levels[0]])
    assert branches == [2] * 6 and torch.equal(every, whole)


def test_solve_outside_the_interval_is_one_branch_for_two_scales_too(world):
    _, branches, levels = solve_images(world, mode="ip2p", image_scale=1.5, interval=[0, 1])
    assert branches == [3 if level <= 1 else 1 for level in levels]


def test_an_interval_without_a_step_is_refused(world):
    sampling = sampler.Sampling(4, "text", 3.0, 1.0, 8, interval=[100, 200])
    options = dict(diffusion=world["folder"], sampling=sampling, device=torch.device("cpu"))
    embeddings = {"tokens": world["tokens"], "null": world["null"]}
    with pytest.raises(
        ValueError, match=r"synthetic.interval = \[100, 200\].* levels .* 5.11, 2.28, "
    ):
        sampler.load_sampler(world["folder"], embeddings, **options)


@pytest.mark.parametrize("guidance, scale, interval", [("text", 3.0, None), ("ip2p", 2, [1, 5])])
def test_count_evaluations_is_what_solve_evaluates(world, guidance, scale, interval):
    how = {"mode": guidance, "scale": scale, "image_scale": 1.5, "interval": interval}
    _, branches, _ = solve_images(world, **how)
    solver, sampling = load_solver(world["folder"]), sampler.Sampling(6, batch_size=8, **how)
    assert sampler.count_evaluations(solver, sampling, conditioned=True) == sum(branches)


def test_solver_keys_change_order_and_noise_levels(world):
    second, third = (solve_images(world, order=order)[0] for order in (2, 3))
    assert not torch.allclose(second, third)
    even, karras = (load_solver(world["folder"], karras=karras) for karras in (False, True))
    assert sampler.list_levels(even, 9) != sampler.list_levels(karras, 9)
    with_default = load_solver(world["folder"]).config
    assert (with_default["solver_order"], with_default["use_karras_sigmas"]) == (2, False)


def test_provenance_names_what_is_not_the_default():
    cfg = dict(guidance="text", scale=2.0, image_scale=1.5, interval=None, steps=9, order=2)
    cfg |= dict(karras=False, diffusion="name")
    assert plan.describe_generator(cfg, [])["guidance"] == "text 2.0"
    cfg |= dict(guidance="ip2p", interval=[0.3, 5], order=3, karras=True)
    described = plan.describe_generator(cfg, [])["guidance"]
    assert described == "ip2p 2.0 1.5 in (0.3, 5] order 3 Karras"


def damage(world, folder, part, value):
    """A copy of the world whose `part` has one weight of that value."""
    shutil.copytree(world["folder"], folder)
    path = folder / part / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    next(iter(tensors.values())).view(-1)[0] = value
    save_file(tensors, path)
    return {**world, "folder": str(folder)}


@pytest.mark.parametrize("part, name", [("wide", "finetuned"), ("unet", "pretrained")])
def test_a_unet_with_a_weight_that_is_not_finite_is_refused(world, tmp_path, part, name):
    with pytest.raises(ValueError, match="models.diffusion = .* numbers are not finite"):
        make(damage(world, tmp_path / "sd", part, torch.nan), name)


def test_a_vae_with_a_weight_that_is_not_finite_is_refused(world, tmp_path):
    with pytest.raises(ValueError, match="models.diffusion = .* numbers are not finite"):
        load_vae(damage(world, tmp_path / "sd", "vae", torch.inf)["folder"])


def sample_with(world, unet=None, vae=None, batch_size=8):
    """Images of the whole bank by a sampler of which a part is replaced."""
    wide, folder = load_unet(f"{world['folder']}/wide", text_width=tiny.TEXT), world["folder"]
    loaded = sampler.Sampler(
        unet=wide if unet is None else unet(wide),
        vae=load_vae(folder) if vae is None else vae(load_vae(folder)),
        solver=load_solver(folder),
        tokens=world["tokens"],
        null=world["null"],
        sampling=sampler.Sampling(2, "text", 3.0, 1.0, batch_size),
    )
    made = plan.make_plan("finetuned", world["bank"], LABELS, shard=0, shards=1, seed=5)
    return list(sampler.sample_files(loaded, made, world["train"], resolution=32, side=32))


def change_output(model, change):
    """A model whose output is changed on its way out."""
    model.register_forward_hook(lambda module, inputs, output: change(output))
    return model


def test_latents_that_are_not_finite_are_no_images(world):
    def overflow(output):
        output.sample[0, 0, 0, 0] = torch.inf
        return output

    with pytest.raises(ValueError, match="latents of synthetic images.*; lower synthetic.scale"):
        sample_with(world, unet=lambda net: change_output(net, overflow))


def test_pixels_that_are_not_finite_are_no_images(world):
    def poison(vae):
        change_output(vae.decoder, lambda output: output * torch.nan)
        return vae

    with pytest.raises(ValueError, match="pixels decoded by the VAE: .* not finite"):
        sample_with(world, vae=poison)


def test_black_images_are_no_images(world):
    def darken(vae):
        change_output(vae.decoder, lambda output: torch.full_like(output, -9.0))
        return vae

    with pytest.raises(ValueError, match="8 of 10 synthetic images are of a single colour"):
        sample_with(world, vae=darken)


def test_shards_say_which_images_are_constant(world):
    assert make(world, "finetuned")["constant"].to_pylist() == [False] * 10


def test_sampling_halves_its_batch_until_it_fits(world, monkeypatch, capsys):
    """As on a GPU, whose memory holds three images in two branches."""
    expected = load(sample_with(world), size=32).int()
    monkeypatch.setattr("mvc.core.batching.has_constant_batches", lambda device: False)
    seen = []

    def limit(net):
        def check(module, inputs):
            seen.append(len(inputs[0]))
            if len(inputs[0]) > 6:
                raise torch.OutOfMemoryError("CUDA out of memory.")

        net.register_forward_pre_hook(check)
        return net

    made = load(sample_with(world, unet=limit, batch_size=10), size=32).int()
    assert seen == [20, 10] + [4, 4] * 5, "10, 5, 2 images, two steps each"
    assert (made - expected).abs().max() <= 1
    assert "going on with 2" in capsys.readouterr().out


def test_an_image_that_does_not_fit_names_the_resolution(world, monkeypatch):
    monkeypatch.setattr("mvc.core.batching.has_constant_batches", lambda device: False)

    def fail(output):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(MemoryError, match=r"set unet.resolution to 16 \(it is 32\)"):
        sample_with(world, unet=lambda net: change_output(net, fail))


def test_real_vae_halves_its_batch_until_it_fits(world, monkeypatch):
    vae, files = load_vae(world["folder"]), image_tables.get_bytes(world["train"])
    (expected,) = controls.reconstruct(vae, files, range(5), batch_size=5, side=32)
    monkeypatch.setattr("mvc.core.batching.has_constant_batches", lambda device: False)

    def check(module, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    vae.encoder.register_forward_pre_hook(check)
    vae.decoder.register_forward_pre_hook(check)
    (made,) = controls.reconstruct(vae, files, range(5), batch_size=5, side=32)
    assert (made.int() - expected.int()).abs().max() <= 1
