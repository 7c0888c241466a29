"""Foundation models are checked against this pipeline and each other before anything runs."""

import copy
import json
import shutil
import struct
import sys
from pathlib import Path

import pytest
import yaml
from mvc.models import checking, doubts, parts, published, tower
from project_tree import REPO
from test_layers import list_imports

MINIATURE = REPO / "resources/miniature"
CONFIG = yaml.safe_load((REPO / "config/config.yaml").read_text(encoding="utf-8"))
SD, CLIP, BLIP = "diffusion", "clip", "captioner"
FOLDERS = {SD: "stable-diffusion", CLIP: "clip", BLIP: "blip2"}


def write_tensors(path, *names, cut=0):
    """A file of safetensors with one number per name, some bytes of it cut off."""
    header = {n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in names}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = struct.pack("<Q", len(text)) + text + b"1234"
    path.write_bytes(content[: len(content) - cut])


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The miniature models with weights of no size, free to edit."""
    for name in FOLDERS.values():
        ignore = shutil.ignore_patterns("*.safetensors", "*.md")
        shutil.copytree(MINIATURE / name, tmp_path / name, ignore=ignore)
        for file in (MINIATURE / name).rglob("*.safetensors"):
            write_tensors(tmp_path / name / file.relative_to(MINIATURE / name), "a")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def find_faults(models, **names):
    config = copy.deepcopy(CONFIG)
    config["models"] = {key: str(models / name) for key, name in FOLDERS.items()} | names
    return checking.list_model_faults(config)


def edit(path, **changes):
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    content |= changes
    content = {key: value for key, value in content.items() if value != "absent"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_the_miniature_models_fit(models):
    assert find_faults(models) == []


def test_list_model_faults_imports_no_library():
    for module in ("checking", "fitting", "layouts"):
        for name in list_imports(REPO / f"workflow/scripts/mvc/models/{module}.py"):
            assert name.split(".")[0] in {*sys.stdlib_module_names, "mvc"}, name


UNET, VAE = "stable-diffusion/unet/config.json", "stable-diffusion/vae/config.json"
ENCODER = "stable-diffusion/text_encoder/config.json"
BETAS = "stable-diffusion/scheduler/scheduler_config.json"
TEXT = {"context_length": 77, "width": 128, "layers": 3}


@pytest.mark.parametrize(
    "file, changes, said",
    [
        (UNET, {"in_channels": 16}, "in_channels = 16, out_channels = 6; must be equal"),
        (UNET, {"in_channels": 8, "out_channels": 4}, "InstructPix2Pix"),
        (UNET, {"in_channels": 9, "out_channels": 4}, "(inpainting)"),
        (UNET, {"in_channels": 5, "out_channels": 4}, "(depth2img)"),
        (UNET, {"in_channels": 7, "out_channels": 4}, "(an upscaler)"),
        (UNET, {"in_channels": 4, "out_channels": 4}, "latent_channels = 6; must be equal"),
        (UNET, {"cross_attention_dim": 768}, "width = 128; must be equal"),
        (UNET, {"cross_attention_dim": [320, 640]}, "must be one number"),
        (UNET, {"addition_embed_type": "text_time"}, "as SDXL does"),
        (UNET, {"num_class_embeds": 1000}, "num_class_embeds = 1000; must be null"),
        (UNET, {"time_cond_proj_dim": 256}, "latent consistency"),
        (UNET, {"encoder_hid_dim_type": "text_proj"}, "DeepFloyd"),
        (UNET, {"_class_name": "UNet3DConditionModel"}, "must be UNet2DConditionModel"),
        (UNET, {"block_out_channels": [8] * 5}, "at least 64"),
        (VAE, {"latent_channels": 4}, "out_channels = 6, vae/config.json: latent_channels = 4"),
        (VAE, {"_class_name": "AutoencoderTiny"}, "must be AutoencoderKL"),
        (VAE, {"shift_factor": 0.1}, "shift_factor = 0.1; must be null"),
        (VAE, {"scaling_factor": "absent"}, "no scaling_factor; must be there"),
        (VAE, {"in_channels": 1}, "in_channels = 1; must be 3"),
        (VAE, {"block_out_channels": [8] * 7}, "multiple of 64"),
        (BETAS, {"prediction_type": "sample"}, "'sample'; must be one of epsilon, v_prediction"),
        (BETAS, {"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr"),
        (BETAS, {"_class_name": "FlowMatchEulerDiscreteScheduler"}, "must be one with betas"),
        (BETAS, {"beta_schedule": "laplace"}, "'laplace'; must be one of linear"),
        (BETAS, {"timestep_spacing": "even"}, "timestep_spacing = 'even'; must be one of"),
        (ENCODER, {"num_hidden_layers": 4}, "layers = 3"),
        (ENCODER, {"hidden_act": "quick_gelu"}, "-quickgelu"),
        (ENCODER, {"model_type": "t5"}, "model_type = 't5'"),
        ("clip/open_clip_config.json", {"model_cfg": {}}, "no text_cfg"),
        (
            "clip/open_clip_config.json",
            {"model_cfg": {"text_cfg": TEXT | {"hf_tokenizer_name": "timm/ViT-B-16-SigLIP"}}},
            "hf_tokenizer_name = 'timm/ViT-B-16-SigLIP'; must be absent",
        ),
        (
            "clip/open_clip_config.json",
            {"model_cfg": {"text_cfg": TEXT | {"context_length": 64}}},
            "context_length = 64; must be 77",
        ),
        (
            "clip/open_clip_config.json",
            {"model_cfg": {"text_cfg": TEXT, "multimodal_cfg": {"width": 8}}},
            "a CoCa model",
        ),
        ("blip2/config.json", {"model_type": "blip"}, "model_type = 'blip'; must be blip-2"),
        ("blip2/config.json", {"model_type": "llava"}, "model_type = 'llava'; must be blip-2"),
        ("blip2/config.json", {"model_type": "absent"}, "model_type = None; must be blip-2"),
        (
            "blip2/config.json",
            {"architectures": ["Blip2ForImageTextRetrieval"]},
            "this one writes no text",
        ),
        ("blip2/config.json", {"quantization_config": {"bits": 4}}, "quantization_config"),
    ],
)
def test_list_model_faults_names_key_value_and_what_is_allowed(models, file, changes, said):
    edit(models / file, **changes)
    lines = find_faults(models)
    assert any(said in line for line in lines), lines
    assert all("models." in line or "unet.resolution" in line for line in lines), lines


def test_what_fits_is_not_refused(models):
    edit(models / UNET, use_linear_projection=True, conv_in_kernel=3, upcast_attention=True)
    edit(models / VAE, latents_mean="absent", force_upcast=True)
    (models / "stable-diffusion/model_index.json").unlink()
    edit(models / ENCODER, num_hidden_layers=3, vocab_size=722)
    text = TEXT | {"pool_type": "last", "vocab_size": 722}
    edit(models / "clip/open_clip_config.json", model_cfg={"text_cfg": text})
    edit(models / "blip2/config.json", image_token_index="absent")  # the layout of 2023
    edit(models / "blip2/processor_config.json", num_query_tokens="absent")
    assert find_faults(models) == []


def test_a_scaling_factor_of_four_channels_may_be_left_out(models):
    """Stable Diffusion 1.5's own VAE has none: diffusers knows it."""
    edit(models / UNET, in_channels=4, out_channels=4)
    edit(models / VAE, scaling_factor="absent", latent_channels=4)
    assert find_faults(models) == []


SD2 = {"cross_attention_dim": 1024, "use_linear_projection": True}


def test_stable_diffusion_2_fits_the_tower_whose_last_but_one_states_it_reads(models):
    edit(models / UNET, **SD2)
    edit(models / BETAS, prediction_type="v_prediction")
    tower = "ViT-H-14/laion2b_s32b_b79k"
    assert find_faults(models, clip=tower) == []
    encoder = {"num_hidden_layers": 23, "hidden_act": "gelu", "max_position_embeddings": 77}
    for layers in (23, 24):
        edit(models / ENCODER, **encoder | {"num_hidden_layers": layers})
        assert find_faults(models, clip=tower) == []
    edit(models / ENCODER, num_hidden_layers=22)
    (line,) = find_faults(models, clip=tower)
    assert "layers = 24; must be 22, or 1 more" in line or "must be 22" in line
    (line,) = find_faults(models, clip="ViT-L-14-quickgelu/openai")
    assert "width = 768" in line and "ViT-H-14/laion2b_s32b_b79k" in line


@pytest.mark.parametrize("named", ["hub", "folder"])
@pytest.mark.parametrize("with_encoder", [True, False])
@pytest.mark.parametrize(
    "changes, said",
    [
        ({"quick_gelu": False}, "quick_gelu = False; must be True"),
        ({"text_cfg": {"heads": 8}}, "heads = 8; must be 12"),
        ({"text_cfg": {"layers": 24}}, "layers = 24; must be 12"),
        ({"text_cfg": {"mlp_ratio": 2}}, "mlp_width = 1536; must be 3072"),
    ],
)
def test_a_tower_of_the_right_width_may_still_be_another(
    models, monkeypatch, named, with_encoder, changes, said
):
    """Its states would be others, and none of this shows in the shapes that the U-Net checks."""
    clip = {"quick_gelu": True, "text_cfg": {"width": 768, "heads": 12, "layers": 12}}
    edit(models / UNET, cross_attention_dim=768)
    if with_encoder:
        edit(models / ENCODER, **tower.KNOWN[768])
    clip["text_cfg"] |= changes.get("text_cfg", {})
    clip["quick_gelu"] = changes.get("quick_gelu", True)
    if named == "folder":
        edit(models / "clip/open_clip_config.json", model_cfg=clip)
        (line,) = find_faults(models)
    else:
        edit(models / "own.json", **clip)
        monkeypatch.setattr(checking, "list_architectures", lambda: {"own": models / "own.json"})
        monkeypatch.setattr(checking, "list_tag_faults", lambda *_: [])
        (line,) = find_faults(models, clip="own/laion")
    assert said in line
    assert (ENCODER.removeprefix("stable-diffusion/") in line) and "models.clip" in line


def test_a_padding_that_cannot_be_given_is_refused(models):
    tokens = models / "stable-diffusion" / parts.TOKENS
    for pad in ("!", {"content": "<|endoftext|>"}):
        edit(tokens, pad_token=pad)
        assert find_faults(models) == []
    edit(tokens, pad_token="[PAD]")
    (line,) = find_faults(models)
    assert "pad_token = '[PAD]'; must be one of <|endoftext|>, !" in line


@pytest.mark.parametrize(
    "width, tokens, padding",
    [
        (768, {}, None),
        (1024, {}, 0),
        (1024, {"pad_token": {"content": "<|endoftext|>"}}, None),
        (768, {"pad_token": "!"}, 0),
        (128, {}, None),
    ],
)
def test_find_reading_takes_layers_and_padding(width, tokens, padding):
    unet = {"cross_attention_dim": width}
    layers = {768: 12, 1024: 23}.get(width)
    assert tower.find_reading(unet, {}, tokens) == (layers, padding)
    assert tower.find_reading(unet, {"num_hidden_layers": 5}, tokens) == (5, padding)


def test_clip_by_the_names_of_open_clip(models):
    edit(models / UNET, cross_attention_dim=768)
    assert find_faults(models, clip="ViT-L-14-quickgelu/openai") == []
    (line,) = find_faults(models, clip="ViT-L-14/openai")
    assert "must be ViT-L-14-quickgelu/openai" in line
    for other in ("metaclip_400m", "dfn2b"):
        (line,) = find_faults(models, clip=f"ViT-L-14/{other}")
        assert f"must be ViT-L-14-quickgelu/{other}" in line
    (line,) = find_faults(models, clip="ViT-L-14-quickgelu/opena")
    assert "no weights 'opena'" in line and "must be one of openai" in line
    (line,) = find_faults(models, clip="RN50/yfcc15m-q")
    assert "yfcc15m" in line
    (line,) = find_faults(models, clip="ViT-L-14-quickgel/openai")
    assert "did you mean ViT-L-14-quickgelu" in line
    (line,) = find_faults(models, clip="openai/clip-vit-large-patch14")
    assert "timm/vit_large_patch14_clip_224.openai" in line
    assert "hf_tokenizer_name" in find_faults(models, clip="ViT-B-16-SigLIP/webli")[0]


def test_list_published_is_what_open_clip_knows():
    """Its table, read without an import, which would take seconds at every start of Snakemake."""
    import open_clip

    ours = published.list_published()
    known = open_clip.pretrained._PRETRAINED
    assert {name: set(tags) for name, tags in known.items()} == {
        name: set(tags) for name, tags in ours.items()
    }
    for name, tags in known.items():
        for tag, facts in tags.items():
            expected = (facts.get("hf_hub", ""), facts.get("quick_gelu", False))
            assert ours[name][tag] == expected


def test_clip_of_the_hub_is_compared_where_the_cache_holds_it(models):
    repository = models / "cache/hub/models--timm--vit_large_patch14_clip_224.openai"
    assert not checking.find_clip_weights("ViT-L-14-quickgelu/openai").is_file()
    write_tensors(repository / "snapshots/abc/open_clip_model.safetensors", "a")
    edit(repository / "refs/main")
    (repository / "refs/main").write_text("abc")
    assert checking.find_clip_weights("ViT-L-14-quickgelu/openai").is_file()
    file = models / "clip/open_clip_model.safetensors"
    assert checking.find_clip_weights(f"ViT-L-14-quickgelu/{file}") == file


def rename(models, old, new):
    (models / old).rename(models / new)


UNET_WEIGHTS = "stable-diffusion/unet/diffusion_pytorch_model"


@pytest.mark.parametrize(
    "path, there, said",
    [
        ("clip/open_clip_model.safetensors", ".fp16.safetensors", "is a variant"),
        (f"{UNET_WEIGHTS}.safetensors", ".non_ema.safetensors", "is a variant"),
        (f"{UNET_WEIGHTS}.safetensors", ".bin", "is a pickle, which is never loaded"),
        (f"{UNET_WEIGHTS}.safetensors", ".msgpack", "is of Flax"),
        (f"{UNET_WEIGHTS}.safetensors", "-00001-of-00002.safetensors", "one of several parts"),
        (f"{UNET_WEIGHTS}.safetensors", ".gguf", "is of GGUF"),
        ("clip/open_clip_model.safetensors", ".bin", "is a pickle, which is never loaded"),
    ],
)
def test_weights_under_another_name_are_named_with_the_fix(models, path, there, said):
    rename(models, path, path.removesuffix(".safetensors") + there)
    (line,) = find_faults(models)
    assert said in line and Path(path).name in line
    assert "`mv " in line or "hf download" in line


def list_inputs(models, *names):
    named = {key: str(models / name) for key, name in FOLDERS.items()}
    return {str(Path(f).relative_to(models)) for f in parts.list_model_files(named, *names)}


def test_weights_in_half_precision_are_opened_where_there_are_no_others(models):
    for weights in (UNET_WEIGHTS, "blip2/model"):
        write_tensors(models / f"{weights}.fp16.safetensors", "a")
        inputs = list_inputs(models, "unet", "captioner")
        assert f"{weights}.safetensors" in inputs and f"{weights}.fp16.safetensors" not in inputs
        (models / f"{weights}.safetensors").unlink()
        assert f"{weights}.fp16.safetensors" in list_inputs(models, "unet", "captioner")
        assert find_faults(models) == []
    config = {"models": {key: str(models / name) for key, name in FOLDERS.items()}, "datasets": {}}
    said = doubts.list_warnings(config)
    assert ["captioner" in line for line in said] == [True, False]
    assert all("half precision" in line for line in said)
    write_tensors(models / f"{UNET_WEIGHTS}.fp16.safetensors", "a", cut=2)
    (line,) = find_faults(models)
    assert "is cut off" in line


def test_list_model_files_lists_what_is_read_and_no_more(models):
    """A whole download of Stable Diffusion 1.5 has 24 GB of weights, of which 3.8 are read."""
    folder = models / "stable-diffusion"
    read = {
        "unet": {"unet/config.json", "unet/diffusion_pytorch_model.safetensors"},
        "vae": {"vae/config.json", "vae/diffusion_pytorch_model.safetensors"},
        "scheduler": {"scheduler/scheduler_config.json"},
        "text": {"unet/config.json", "text_encoder/config.json", parts.TOKENS},
    }
    edit(models / ENCODER, hidden_act="gelu")
    edit(folder / parts.TOKENS, pad_token="!")
    for other in ("v1-5.safetensors", "safety_checker/model.safetensors", "text_encoder/model.bin"):
        write_tensors(folder / other, "a")
    for variant in ("fp16", "non_ema"):
        write_tensors(folder / f"unet/diffusion_pytorch_model.{variant}.safetensors", "a")
    for part, files in read.items():
        assert list_inputs(models, part) == {f"stable-diffusion/{file}" for file in files}
    (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
    shards = [f"diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    index = {"weight_map": dict(zip("ab", shards, strict=True))}
    edit(folder / "unet/diffusion_pytorch_model.safetensors.index.json", **index)
    listed = list_inputs(models, "unet")
    assert {f"stable-diffusion/unet/{shard}" for shard in shards} < listed and len(listed) == 4
    named = {"diffusion": "owner/model-of-a-hub", "clip": f"ViT-B-32/{folder}/v1-5.safetensors"}
    assert parts.list_model_files(named, "unet", "clip") == [f"{folder}/v1-5.safetensors"]
    assert list_inputs(models, "captioner") >= {"blip2/tokenizer.json", "blip2/model.safetensors"}
    assert "blip2/README.md" not in list_inputs(models, "captioner", "clip")


def test_weights_in_parts_need_all_of_them(models):
    folder = models / "blip2"
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    edit(folder / "model.safetensors.index.json", **index)
    (line,) = find_faults(models)
    assert "names model-2.safetensors, which is not there" in line
    write_tensors(folder / "model-2.safetensors", "b")
    assert find_faults(models) == []


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is no whole safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "`git lfs pull`"),
        (b"<html>404 Not Found, what a download may leave</html>", "is no whole safetensors"),
        (struct.pack("<Q", 9) + b"not JSON!" + b"1234", "is no safetensors file"),
    ],
)
def test_damaged_weights_are_named(models, content, said):
    (models / f"{UNET_WEIGHTS}.safetensors").write_bytes(content)
    (line,) = find_faults(models)
    assert said in line and "unet/diffusion_pytorch_model.safetensors" in line


def test_weights_that_are_cut_off_are_named(models):
    write_tensors(models / f"{UNET_WEIGHTS}.safetensors", "a", cut=2)
    (line,) = find_faults(models)
    assert "is cut off" in line


@pytest.mark.parametrize(
    "file", [UNET, VAE, BETAS, "clip/open_clip_config.json", "blip2/config.json"]
)
def test_a_config_that_is_missing_or_no_json_is_named(models, file):
    (models / file).write_text("{", encoding="utf-8")
    (line,) = find_faults(models)
    assert file in line and "is no JSON file" in line
    (models / file).unlink()
    (line,) = find_faults(models)
    assert f"no {Path(file).name}" in line or f"no {file.partition('/')[2]}" in line
    assert "hf download" in line


def test_the_wrong_folder_names_the_right_one(models):
    (line,) = find_faults(models, diffusion=str(models / "stable-diffusion/unet"))
    assert f"name {models / 'stable-diffusion'}." in line
    (line,) = find_faults(models, diffusion=str(models))
    assert f"name {models / 'stable-diffusion'}." in line
    (line,) = find_faults(models, clip=str(models / "blip2"))
    assert "a blip-2 for transformers" in line
    (line,) = find_faults(models, captioner=str(models / "clip"))
    assert "no config.json" in line and "open_clip_config.json" in line
    snapshot = models / "hub/models--a--b/snapshots/c0ffee"
    shutil.copytree(models / "stable-diffusion", snapshot)
    (line,) = find_faults(models, diffusion=str(models / "hub/models--a--b"))
    assert f"name {snapshot}." in line
    edit(models / "flux/model_index.json", _class_name="FluxPipeline")
    (line,) = find_faults(models, diffusion=str(models / "flux"))
    assert "a FluxPipeline" in line


@pytest.mark.parametrize(
    "tensor, said",
    [
        ("model.diffusion_model.input_blocks.0.0.weight", "from_single_file"),
        ("lora_unet_down_blocks_0.lora_down.weight", "a LoRA"),
        ("unet.down_blocks.0.attn.to_q.lora_A.weight", "a LoRA"),
        ("emb_params", "a textual inversion"),
        ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "Flux"),
        ("conditioner.embedders.0.model.weight", "Stable Diffusion XL"),
        ("x", "a single file; must be the folder of a model"),
    ],
)
def test_a_single_file_is_refused_by_what_it_holds(models, tensor, said):
    file = models / "one/v1-5-pruned.safetensors"
    write_tensors(file, tensor)
    for name in (file, file.parent):  # the file, or the folder that holds no more than it
        (line,) = find_faults(models, diffusion=str(name))
        assert said in line and line.startswith(f"models.diffusion = {name}: ")


@pytest.mark.parametrize("suffix, said", [("ckpt", "a pickle"), ("gguf", "GGUF"), ("txt", "no m")])
def test_a_single_file_of_another_kind_is_not_opened(models, suffix, said):
    file = models / f"model.{suffix}"
    file.write_bytes(b"\x80\x02cos\nsystem\n.")
    (line,) = find_faults(models, diffusion=str(file))
    assert said in line


def test_a_hub_model_is_checked_by_its_cache(models):
    cache = models / "cache/hub/models--owner--sd"
    shutil.copytree(models / "stable-diffusion/unet", cache / "snapshots/abc/unet")
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("abc")
    (cache / "snapshots/abc/unet/diffusion_pytorch_model.safetensors").unlink()
    assert find_faults(models, diffusion="owner/sd") == []
    edit(cache / "snapshots/abc/unet/config.json", in_channels=16)
    (line,) = find_faults(models, diffusion="owner/sd")
    assert "in_channels = 16" in line
    assert find_faults(models, diffusion="owner/other") == []


def test_a_misspelt_folder_is_not_taken_for_a_name_of_the_hub(models):
    (models / "mine/stable-diffusion").mkdir(parents=True)
    (line,) = find_faults(models, diffusion="mine/stable-difusion")
    assert "there is stable-diffusion" in line and "hf download mine/stable-difusion" in line


def test_list_warnings_of_a_resolution_far_below_the_trained_one(models):
    config = copy.deepcopy(CONFIG)
    config["models"] = {key: str(models / name) for key, name in FOLDERS.items()}
    assert doubts.list_warnings(config) == []
    edit(models / UNET, sample_size=64)
    lines = doubts.list_warnings(config)
    assert len(lines) == len(CONFIG["datasets"])
    assert "unet.resolution = 32" in lines[0] and "trained at 256 px" in lines[0]


def test_list_warnings_of_data_that_the_shipped_models_do_not_know():
    config = copy.deepcopy(CONFIG)
    assert doubts.list_warnings(config) == []
    (name,) = config["datasets"]
    config["datasets"]["mine"] = config["datasets"][name] | {"loader": "imagefolder"}
    (line,) = doubts.list_warnings(config)
    assert "models.diffusion" in line and "(mine)" in line and "config/photos.yaml" in line


def test_list_warnings_of_a_large_u_net_on_a_cpu(models):
    config = copy.deepcopy(CONFIG)
    config["models"] = {key: str(models / name) for key, name in FOLDERS.items()}
    assert doubts.list_warnings(config, on_cpu=True) == []
    weights = models / f"{UNET_WEIGHTS}.safetensors"
    with open(weights, "r+b") as file:
        file.truncate(2 * doubts.LARGE)  # sparse: takes no room on the disk
    for name in (config["models"]["diffusion"], "owner/not-here"):
        config["models"]["diffusion"] = name
        assert doubts.list_warnings(config) == []
        (line,) = doubts.list_warnings(config, on_cpu=True)
        assert f"models.diffusion = {name}: no NVIDIA GPU" in line
