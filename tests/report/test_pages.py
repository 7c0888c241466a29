"""The report in a browser: no error, every image shown, filters work, all names escaped."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from browser import find_broken_images, needs_browser, open_page, shoot
from finished import ODD, PER_CLASS, PER_REAL, make_config, name_classes, write_run
from mvc.config.reported import read_report
from PIL import Image
from project_tree import REPO


def write_report(config) -> Path:
    """Run the stage's script in the working directory; return the page of its data set."""
    import report

    report.main(
        SimpleNamespace(
            params=SimpleNamespace(cfg=read_report(config)),
            input=SimpleNamespace(defaults=REPO / "config/config.yaml"),
            output=["results/report"],
            log=["report.log"],
            threads=1,
        )
    )
    return Path("results/report").absolute() / next(iter(config["datasets"])) / "index.html"


@pytest.fixture(scope="module", params=[3, 300])
def page(request, tmp_path_factory) -> Path:
    """The page of a data set with a few classes or with many, odd names among them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp(f"classes{request.param}"))
        config = make_config()
        write_run(config, name_classes(request.param), grey=request.param == 3)
        yield write_report(config)


class Elements(HTMLParser):
    """The elements of a page, and what is between them."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def select(self, tag: str, **wanted) -> list[dict]:
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]


def list_tiles(text: str) -> list[dict]:
    tiles = Elements(text).select("button")
    return [tile for tile in tiles if "tile" in tile.get("class", "").split()]


def count_visible(dom: str) -> int:
    return int(re.search(r'id="shown">(\d+) of \d+ shown', dom)[1])


def test_a_page_is_of_a_few_megabytes_and_names_no_network(page):
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) < 4e6
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text) and "@import" not in text
    folder = page.parents[1]
    assert sum(file.stat().st_size for file in folder.rglob("*")) < 40e6
    assert (folder / "index.html").is_file()


def test_every_file_that_a_page_names_is_there(page):
    for file in (page, page.parents[1] / "index.html"):
        elements = Elements(file.read_text(encoding="utf-8"))
        names = [attrs["src"] for attrs in elements.select("img")]
        assert names
        for name in names:
            if not name.startswith("data:"):
                with Image.open(file.parent / name) as image:
                    image.verify()
        for link in elements.select("a"):
            path = link["href"].partition("#")[0]
            assert not path or (file.parent / path).is_file(), link


def test_names_are_text_and_never_markup(page):
    elements = Elements(page.read_text(encoding="utf-8"))
    text = "".join(elements.texts)
    for name in ODD[:3]:
        assert name in text
    assert not elements.select("b") and "49" not in re.findall(r"<h3>([^<]*)</h3>", text)
    assert len(elements.select("script")) == 2
    options = elements.select("option")
    assert len([each for each in options if each["value"].isdigit()]) in (3, 300)


def test_the_gallery_says_how_many_it_shows(page):
    text = page.read_text(encoding="utf-8")
    tiles = list_tiles(text)
    classes = len({tile["data-kind"] for tile in tiles})
    assert classes == 2
    most = int(re.search(r"At most (\d+) images of each class and kind", text)[1])
    many = len(Elements(text).select("div", **{"class": "group"})) == 300
    assert most == (2 if many else 24)
    assert len(tiles) == (300 * 4 if many else 3 * PER_CLASS * (1 + PER_REAL))


def test_details_name_source_seed_mixture_and_the_nearest_image(page):
    text = page.read_text(encoding="utf-8")
    body = re.search(r'id="details">(.*?)</script>', text, re.DOTALL)[1]
    data = json.loads(body)
    ids = [tile["data-id"] for tile in list_tiles(text)]
    assert set(data["images"]) == set(ids)
    synthetic = [data["images"][name] for name in ids if name.startswith("finetuned/")]
    for detail in synthetic:
        assert int(detail["seed"]) >= 2**62 and detail["guidance"] == "text 2.0"
        assert detail["source"][1].startswith("photos/") and "are used" in detail["why"]
        base, donor = detail["mix"]["base"], detail["mix"]["parts"][1][0]
        assert detail["mix"]["parts"] == [[base, 0, 1], [donor, 2, 4], [base, 5, 76]]
        assert "".join(data["captions"][str(base)]).startswith("⟨start⟩ this is an image of")
        assert (page.parent / "pictures" / detail["near"][0]).is_file()
    if "finetuned/0000000" in data["images"]:
        near = data["images"]["finetuned/0000000"]["near"]
        assert near[1].endswith("/0.png") and near[2] == 0


def test_the_verdict_stands_first_with_its_limits(page):
    text = page.read_text(encoding="utf-8")
    order = [text.index(f'id="{part}"') for part in "verdict table mistakes gallery".split()]
    assert order == sorted(order)
    verdict = text[order[0] : order[1]]
    assert "Synthetic images help in" in verdict and "%" in verdict
    assert "one set of synthetic images" in verdict and "400 images" in verdict


def test_data_notes_and_settings_are_shown(page):
    text = "".join(Elements(page.read_text(encoding="utf-8")).texts)
    assert "the folder <i>photos</i> holds two layouts" in text
    assert "1 of test images" in text and "3 orientation" in text
    assert "classifiers.per_real" in text


@needs_browser
def test_pages_open_without_errors_and_show_every_image(page):
    for file in (page, page.parents[1] / "index.html"):
        assert open_page(file).console == []
        assert find_broken_images(file) == []


@needs_browser
def test_filters_work(page):
    every = list_tiles(page.read_text(encoding="utf-8"))
    assert count_visible(open_page(page).dom) == len(every)
    for fragment, key, value in (
        ("kind=real", "data-kind", "real"),
        ("used=yes", "data-kept", "yes"),
        ("used=no", "data-kept", "no"),
    ):
        opened = open_page(page, fragment)
        expected = sum(tile[key] == value for tile in every)
        assert 0 < count_visible(opened.dom) == expected < len(every)
        visible = [tile for tile in list_tiles(opened.dom) if "hidden" not in tile]
        assert {tile[key] for tile in visible} == {value}
    opened = open_page(page, "class=1&clip=0.5&kind=finetuned")
    groups = Elements(opened.dom).select("div", **{"class": "group"})
    assert [each["data-class"] for each in groups if "hidden" not in each] in (["1"], [])
    visible = [tile for tile in list_tiles(opened.dom) if "hidden" not in tile]
    assert all(float(tile["data-clip"]) >= 0.5 for tile in visible if tile in groups)


@needs_browser
def test_a_click_shows_source_mixture_and_nearest_image(page):
    tiles = list_tiles(page.read_text(encoding="utf-8"))
    name = next(tile["data-id"] for tile in tiles if tile["data-kind"] == "finetuned")
    opened = open_page(page, f"image={name}")
    assert opened.console == []
    elements = Elements(opened.dom)
    assert "open" in elements.select("dialog", id="image")[0]
    texts = "".join(elements.texts)
    assert "nearest training image" in texts and "Donor 1: " in texts and "text 2.0" in texts
    assert elements.select("span", **{"class": "part d0"})


@needs_browser
def test_screenshots_have_something_to_see(page, tmp_path):
    for width in (500, 1100):
        shoot(page, tmp_path / "page.png", width=width)
        with Image.open(tmp_path / "page.png") as picture:
            assert picture.width == width and len(picture.convert("L").getcolors()) > 30
