"""The miniature models' scripts, one after the other, on two hundred garments and few steps."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import raw_data
import yaml
from mvc.config.check import list_faults
from mvc.config.code import digest_code

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
SCRIPTS = REPO / "workflow" / "scripts"
PARTS = ("corpus", "vae", "clip", "captioner", "text", "unet", "quality", "cards")
MODELS = "models"
OUTPUTS = {
    "corpus": {"pixels": "images.safetensors", "captions": "captions.parquet"},
    "vae": {"weights": f"{MODELS}/stable-diffusion/vae/diffusion_pytorch_model.safetensors"},
    "clip": {
        "weights": f"{MODELS}/clip/open_clip_model.safetensors",
        "merges": f"{MODELS}/clip/bpe.txt.gz",
    },
    "captioner": {"weights": f"{MODELS}/blip2/model.safetensors"},
    "text": {"states": "text.safetensors"},
    "unet": {
        "weights": f"{MODELS}/stable-diffusion/unet/diffusion_pytorch_model.safetensors",
        "index": f"{MODELS}/stable-diffusion/model_index.json",
    },
    "quality": {
        "report": "quality.json",
        "corpus": "corpus.png",
        "real_vae": "real_vae.png",
        "samples": "samples.png",
    },
    "cards": {
        "blip2": f"{MODELS}/blip2/README.md",
        "clip": f"{MODELS}/clip/README.md",
        "diffusion": f"{MODELS}/stable-diffusion/README.md",
    },
}


class Files(SimpleNamespace):
    """Named files that can be listed and indexed too, by place or by name, as a rule's are."""

    def __iter__(self):
        return iter(vars(self).values())

    def __getitem__(self, key):
        return vars(self)[key] if isinstance(key, str) else list(vars(self).values())[key]


def small(path: Path) -> dict:
    """The shipped config with everything that takes time cut down."""
    cfg = yaml.safe_load((REPO / "config" / "miniature.yaml").read_text())
    cfg["corpus"] |= {"path": str(path), "images": 200, "holdout": 40, "renders": 1}
    cfg["corpus"]["shares"] = {"coloured": 0.4, "photo": 0.2, "plain": 0.4}
    training = {
        "steps": 2,
        "batch_size": 4,
        "learning_rate": 0.001,
        "warmup_steps": 1,
        "ema_decay": 0.5,
    }
    for part in ("vae", "clip", "captioner", "unet"):
        cfg[part]["training"] = training
    cfg["vae"]["widths"] = [8, 8, 8]
    cfg["unet"]["widths"] = [8, 16]
    cfg["quality"] |= {"images": 20, "captions": 10, "samples": 30, "steps": 2}
    return cfg


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Every script run once: the folder of the results."""
    root = tmp_path_factory.mktemp("miniature")
    rng = np.random.default_rng(0)
    folder = raw_data.fashion(root / "raw", n_train=200, n_test=40)
    for name, n in (("train", 200), ("t10k", 40)):
        images = rng.integers(0, 256, (n, 28, 28)) * (rng.random((n, 28, 28)) < 0.5)
        data = raw_data.idx(images)
        path = folder / f"{name}-images-idx3-ubyte.gz"
        path.unlink()
        path.with_suffix("").write_bytes(data)
    cfg = small(folder)
    foundation = {key: cfg["corpus"][key] for key in ("images", "holdout", "resolution")}
    shared = {"seed": cfg["seed"], "foundation": foundation, "path": cfg["corpus"]["path"]}
    files = {
        part: {name: str(root / path) for name, path in OUTPUTS[part].items()} for part in PARTS
    }
    inputs = {part: files[part].get("weights", files[part].get("states")) for part in PARTS}
    inputs |= {"blip2": inputs["captioner"], "report": files["quality"]["report"]}
    sys.path.insert(0, str(SCRIPTS))
    for part in PARTS:
        for path in files[part].values():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        settings = cfg if part == "cards" else shared | cfg.get(part, {})
        made = {k: v for k, v in inputs.items() if v and Path(v).is_file()}
        importlib.import_module(f"miniature_{part}").main(
            SimpleNamespace(
                input=Files(**(files["corpus"] if part != "corpus" else {}), **made),
                output=Files(**files[part]),
                params=SimpleNamespace(cfg=settings, code=None),
                log=[str(root / f"{part}.log")],
                threads=1,
            )
        )
    return root


def test_every_output_is_there_and_readable(built):
    for outputs in OUTPUTS.values():
        for path in outputs.values():
            file = built / path
            assert file.stat().st_size > 0, path
            if path.startswith(MODELS):
                assert file.stat().st_mode & 0o444 == 0o444, path


def test_cards_hold_the_measures(built):
    report = json.loads((built / "quality.json").read_text())
    card = (built / MODELS / "stable-diffusion" / "README.md").read_text()
    assert f"{report['vae']['target']} dB PSNR" in card
    assert report["unet"]["frechet"] > 0 and f" {report['unet']['frechet']}, in CLIP" in card
    assert report["captioner"]["images"] == 10
    assert "the right group" in (built / MODELS / "blip2" / "README.md").read_text()


def test_unet_trained_on_the_text_states_of_the_corpus(built):
    from safetensors.torch import load_file

    text = load_file(built / "text.safetensors")
    assert text["rows"].shape == (160,)  # the held-out garments are not among them
    assert text["states"].shape[1:] == (77, 128) and text["rows"].max() < len(text["states"])


def test_shipped_config_keeps_to_its_schema_and_a_misspelt_key_does_not():
    schema = yaml.safe_load((REPO / "workflow/schemas/miniature.schema.yaml").read_text())
    cfg = yaml.safe_load((REPO / "config/miniature.yaml").read_text())
    assert not list_faults(cfg, schema)
    cfg["vae"]["training"]["step"] = cfg["vae"]["training"].pop("steps")
    assert list_faults(cfg, schema)


def test_code_digest_of_each_script_covers_the_library():
    digests = {digest_code(SCRIPTS / f"miniature_{part}.py") for part in PARTS}
    assert len(digests) == len(PARTS)
