"""Networks by name: the paper's, their first weights, and weights from files."""

import json

import pytest
import torch
import torch.nn.functional as F
from mvc.training.loop import build_optimizer
from mvc.training.networks import FILE, build
from mvc.training.wide_resnet import WideResNet
from safetensors.torch import save_file
from torch import nn

# Parameters of the published networks with 1,000 classes.
PAPER = {
    "resnet50": 25_557_032,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b3": 12_233_232,
    "vit_base_patch16_224": 86_567_656,
    "wide_resnet50_2": 68_883_240,
}
LARGE = ("vit_base_patch16_224", "wide_resnet50_2")
ALL = (*PAPER, "test_resnet", "test_efficientnet", "test_vit")


def make(name, n_classes=3, seed=0, size=(32, 32), **changes):
    generator = torch.Generator().manual_seed(seed)
    return build(name, n_classes, size=size, generator=generator, **changes)


def saved(network, path):
    save_file({k: v.contiguous() for k, v in network.net.state_dict().items()}, path)
    return str(path)


def equal(first, second):
    """Names of the tensors that are equal."""
    theirs = second.net.state_dict()
    return {
        k
        for k, v in first.net.state_dict().items()
        if v.shape == theirs[k].shape and torch.equal(v, theirs[k])
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPER)
def test_papers_networks_have_the_published_size(name):
    found = make(name, 1000, size=(224, 224)).net
    assert sum(p.numel() for p in found.parameters()) == PAPER[name]


@pytest.mark.parametrize(
    "name", [n if n not in LARGE else pytest.param(n, marks=pytest.mark.slow) for n in ALL]
)
def test_one_step_lowers_the_loss(name):
    net = make(name, size=(64, 64)).net.train()
    images = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(8) % 3
    optimizer = build_optimizer("sgd", net, 1e-4, weight_decay=0)
    before = F.cross_entropy(net(images), labels)
    before.backward()
    assert all(p.grad is not None for p in net.parameters())
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1)
    optimizer.step()
    assert F.cross_entropy(net(images), labels) < before


def test_wide_resnets_are_our_own():
    network = make("wrn-10-1")
    assert isinstance(network.net, WideResNet) and network.mean is None


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_first_weights_come_from_the_generator_alone(name):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = make(name)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    names = set(first.net.state_dict())
    assert equal(first, make(name)) == names
    assert equal(first, make(name, seed=1)) < names
    assert first.mean is None and first.std is None  # normalised as the training images are


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "wrn-10-1"])
def test_batch_norm_has_pytorchs_momentum(name):
    """PyTorch's 0.1 is TensorFlow's 0.9: the peers' fault of mixing them up."""
    norms = [m for m in make(name).net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and {m.momentum for m in norms} == {0.1} and {m.eps for m in norms} == {1e-5}


# Weights


@pytest.mark.parametrize("name, head", [("test_resnet", "fc"), ("test_vit", "head")])
def test_weights_of_a_file(name, head, tmp_path, capsys):
    first = make(name, 5, seed=1)
    file = saved(first, tmp_path / "own.safetensors")
    names = set(first.net.state_dict())
    assert equal(make(name, 5, weights=file), first) == names
    assert not capsys.readouterr().out
    found = make(name, 3, weights=file)
    assert names - equal(found, first) == {f"{head}.weight", f"{head}.bias"}
    assert f"{head}.weight (5, " in capsys.readouterr().out
    fresh = make(name, 3).net.state_dict()[f"{head}.weight"]
    assert torch.equal(found.net.state_dict()[f"{head}.weight"], fresh)
    assert found.mean.tolist() == found.std.tolist() == [127.5] * 3


def test_weights_of_a_folder_tell_of_their_images(tmp_path):
    saved(make("test_resnet", 5), tmp_path / FILE)
    about = {"architecture": "test_resnet", "pretrained_cfg": {"mean": [0, 0.2, 1], "std": [1] * 3}}
    (tmp_path / "config.json").write_text(json.dumps(about))
    found = make("test_resnet", weights=str(tmp_path))
    assert found.mean.tolist() == pytest.approx([0, 51, 255]) and found.std.tolist() == [255] * 3
    with pytest.raises(ValueError, match="test_vit.weights = .*the weights of test_resnet"):
        make("test_vit", weights=str(tmp_path))


def test_positions_of_a_vision_transformer_fit_other_images(tmp_path):
    first = make("test_vit", 3)
    file = saved(first, tmp_path / "own.safetensors")
    found = make("test_vit", 3, size=(48, 64), weights=file)
    assert set(first.net.state_dict()) - equal(first, found) == {"pos_embed"}
    assert found.net(torch.zeros(2, 3, 48, 64)).shape == (2, 3)


@pytest.mark.parametrize("classes", [3, 5])
@pytest.mark.parametrize(
    "change, tensor",
    [
        (lambda s: s.pop("layer1.0.conv1.weight"), "layer1.0.conv1.weight"),
        (lambda s: s.pop("fc.bias"), "fc.bias"),
        (lambda s: s.update(more=torch.ones(1)), "more"),
        (lambda s: s.update({"layer1.0.conv1.weight": torch.ones(1)}), "layer1.0.conv1.weight"),
    ],
    ids=["missing", "no bias of the head", "unexpected", "another shape"],
)
def test_weights_of_another_network_are_refused(change, tensor, classes, tmp_path):
    """The head too must be whole, whether its classes are those of the data set or not."""
    state = make("test_resnet", classes).net.state_dict()
    change(state)
    save_file(state, tmp_path / FILE)
    with pytest.raises(ValueError, match=f"models.test_resnet.weights = .*{tensor}"):
        make("test_resnet", weights=str(tmp_path))


def test_weights_without_a_head_are_refused(tmp_path):
    state = make("test_resnet").net.state_dict()
    headless = {key: value for key, value in state.items() if not key.startswith("fc.")}
    save_file(headless, tmp_path / FILE)
    with pytest.raises(ValueError, match="models.test_resnet.weights = .*fc.weight"):
        make("test_resnet", weights=str(tmp_path))


def test_counters_of_batch_norm_may_be_missing(tmp_path):
    first = make("test_resnet")
    state = {k: v for k, v in first.net.state_dict().items() if "num_batches" not in k}
    assert len(state) < len(first.net.state_dict())
    save_file(state, tmp_path / FILE)
    found = make("test_resnet", seed=1, weights=str(tmp_path))
    assert equal(first, found) == set(first.net.state_dict())


def test_missing_and_damaged_files_are_told_of(tmp_path):
    pickled = tmp_path / "weights.pth"
    pickled.write_bytes(b"cos\nsystem\n")
    for path in (tmp_path / "none.safetensors", tmp_path, pickled):
        with pytest.raises(FileNotFoundError, match="resnet.weights = .*no safetensors there"):
            make("test_resnet", weights=str(path))
    (tmp_path / FILE).write_bytes(b"12345678 damaged")
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        make("test_resnet", weights=str(tmp_path))


def test_pretrained_weights_come_from_the_hub(tmp_path, monkeypatch):
    asked = []

    def fetched(repository, name):
        asked.append((repository, name))
        return saved(make("test_resnet", 1000, seed=2), tmp_path / FILE)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetched)
    found = make("test_resnet", weights="pretrained")
    assert asked == [("timm/test_resnet.r160_in1k", "model.safetensors")]
    assert "conv1.0.weight" in equal(found, make("test_resnet", 1000, seed=2))

    def offline(repository, name):
        raise ConnectionError("no network\nat all")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(FileNotFoundError) as caught:
        make("test_resnet", weights="pretrained")
    told = str(caught.value)
    assert "\n" not in told and "download its model.safetensors" in told
    assert "timm/test_resnet.r160_in1k" in told and "classifiers.models.test_resnet.weights" in told


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("resnet5O", {}, "'resnet5O'; must be wrn-<depth>-<width> or a network of timm.*resnet50"),
        ("resnet50.no_such_tag", {}, "Invalid pretrained tag .no_such_tag. for resnet50"),
        ("wrn-11-1", {}, "depth = 11"),
        ("wrn-10-1", {"weights": "pretrained"}, "wrn-10-1.weights = pretrained; must be null"),
        ("test_vit", {"size": (28, 28)}, "no images of 28 x 28 pixels.*classifiers.resolution"),
    ],
)
def test_bad_names_and_sizes_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        make(name, **changes)
