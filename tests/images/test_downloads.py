"""Archives are downloaded once, compared with their checksums, and kept whole."""

import hashlib
import io
import urllib.error
import urllib.request

import pytest
import raw_published
from image_builds import build, count_splits
from mvc.config.catalogue import LOADERS
from raw_data import DRAWN, tar_of


class Network:
    """Serves files in place of the network: nothing but `urlopen` is replaced."""

    def __init__(self, files):
        self.files, self.asked = files, []

    def __call__(self, request):
        self.asked.append(request.full_url)
        if request.full_url not in self.files:
            raise urllib.error.URLError("network is unreachable")
        reply = io.BytesIO(self.files[request.full_url])
        reply.url, reply.length = request.full_url, len(self.files[request.full_url])
        return reply


@pytest.fixture
def cifar_is_tiny(tmp_path, monkeypatch):
    """The network has a small CIFAR-10; the catalogue has its checksum."""
    data = tar_of(tmp_path / "served.tar.gz", raw_published.cifar10()).read_bytes()
    known = LOADERS["cifar10"]
    archive = known.archive._replace(md5=hashlib.md5(data).hexdigest())
    monkeypatch.setitem(LOADERS, "cifar10", known._replace(archive=archive))
    network = Network({archive.url: data})
    monkeypatch.setattr(urllib.request, "urlopen", network)
    return network


def test_download_is_compared_kept_and_used_again(tmp_path, cifar_is_tiny):
    built = build(tmp_path, "cifar10", None)
    kept = tmp_path / "data" / "cifar10" / "cifar-10-python.tar.gz"
    assert count_splits(built)["train"] == 80 and built.report["source"] == str(kept)
    assert [p.name for p in kept.parent.iterdir()] == [kept.name]
    cifar_is_tiny.asked.clear()
    build(tmp_path, "cifar10", None)
    assert cifar_is_tiny.asked == []
    kept.write_bytes(kept.read_bytes()[:99])
    build(tmp_path, "cifar10", None)
    assert cifar_is_tiny.asked and kept.stat().st_size > 99


def test_download_with_another_checksum_is_not_kept(tmp_path, cifar_is_tiny):
    (url,) = cifar_is_tiny.files
    cifar_is_tiny.files[url] = b"something else"
    with pytest.raises(FileNotFoundError, match="not found or corrupted"):
        build(tmp_path, "cifar10", None)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("loader", ["cifar10", "cifar100", "tiny_imagenet", "caltech101"])
def test_without_network_the_file_its_place_and_the_key_are_named(tmp_path, monkeypatch, loader):
    network = Network({})
    monkeypatch.setattr(urllib.request, "urlopen", network)
    source = LOADERS[loader].archive
    with pytest.raises(FileNotFoundError) as caught:
        build(tmp_path, loader, None, DRAWN)
    text = str(caught.value)
    assert network.asked == [source.url]
    assert source.name in text and source.url in text and "network is unreachable" in text
    assert str(tmp_path / "data" / loader / source.name) in text and "datasets.mine.path" in text
    assert list((tmp_path / "data").iterdir()) == []


def test_addresses_and_checksums_are_torchvisions(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10, CIFAR100, caltech

    for loader, published in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        found = LOADERS[loader].archive
        assert found == (published.url, published.tgz_md5) and found.name == published.filename
    asked = {}

    def item(url, **options):
        asked.update(options, url=url)
        raise KeyboardInterrupt

    monkeypatch.setattr(caltech, "download_and_extract_archive", item)
    with pytest.raises(KeyboardInterrupt):
        caltech.Caltech101(tmp_path, download=True)
    assert LOADERS["caltech101"].archive == (asked["url"], asked["md5"])
    assert LOADERS["tiny_imagenet"].archive.name == "tiny-imagenet-200.zip"
