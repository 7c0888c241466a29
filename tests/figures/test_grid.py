"""Sheets of images: every pixel in its place, titles that fit, equal bytes for equal images."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from grids import place
from mvc.core import image_tables
from mvc.core.decoding import encode_png
from mvc.figures import grid
from PIL import Image

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def picture(seed=0, width=5, height=5):
    array = np.random.default_rng(seed).integers(0, 200, (height, width, 3), np.uint8)
    return Image.fromarray(array)


def test_images_are_enlarged_without_blur_in_rows_and_columns():
    rows = [[picture(3 * r + c) for c in range(3)] for r in range(2)]
    drawing = grid.draw_grid(rows, ["real", "MVC"], ["Bag", "Coat", "Shirt"], 4)
    places = [[place(drawing, image, 4) for image in row] for row in rows]
    xs, ys = [p[0] for p in places[0]], [row[0][1] for row in places]
    assert places == [[(x, y) for x in xs] for y in ys]
    assert xs == sorted(xs) and ys == sorted(ys)
    assert xs[1] - xs[0] == 20 + grid.GROUP_GAP == xs[2] - xs[1]


def test_rows_without_a_title_and_columns_of_one_title_stand_closer():
    rows = [[picture(4 * r + c) for c in range(4)] for r in range(3)]
    drawing = grid.draw_grid(rows, ["real", "", "MVC"], ["Bag", "Coat"], 3)
    xs = [place(drawing, image, 3)[0] for image in rows[0]]
    ys = [place(drawing, row[0], 3)[1] for row in rows]
    assert np.diff(xs).tolist() == [15 + gap for gap in (grid.GAP, grid.GROUP_GAP, grid.GAP)]
    assert np.diff(ys).tolist() == [15 + grid.GAP, 15 + grid.GROUP_GAP]


def test_titles_are_drawn_beside_their_rows_and_above_their_columns():
    row = [picture(c, 20, 20) for c in range(2)]
    left, top = place(grid.draw_grid([row], [""], [], 4), row[0], 4)
    titled = grid.draw_grid([row], ["a long title"], ["Bag", "Coat"], 4)
    x, y = place(titled, row[0], 4)
    assert x > left and y > top
    ink = (np.asarray(titled).min(2) < 128).astype(int)
    assert ink[y : y + 80, :x].sum() > 50 and ink[:y, :x].sum() == 0
    assert ink[:y, x : x + 80].sum() > 20 and ink[:y, x + 90 : x + 170].sum() > 20


def test_a_long_title_is_broken_or_cut_to_its_column():
    row = [picture(c, 20, 20) for c in range(2)]
    for title in ("a very long class name of many words", "unbreakable" * 9):
        drawing = grid.draw_grid([row], ["x"], [title, ""], 4)
        x, y = place(drawing, row[1], 4)
        ink = np.asarray(drawing)[:y].min(2) < 128
        assert ink[:, : x - 5].any() and not ink[:, x:].any()


def test_a_missing_image_leaves_an_empty_cell():
    drawing = grid.draw_grid([[picture(), None]], ["x"], [], 4)
    x, y = place(drawing, picture(), 4)
    cell = np.asarray(drawing)[y : y + 20, x + 20 + grid.GAP :][:, :20]
    assert (cell == grid.EMPTY).all()


def test_images_of_other_sizes_fit_their_cell_whole():
    wide, tall = picture(1, 8, 4), picture(2, 2, 4)
    drawing = grid.draw_grid([[wide, tall]], ["x"], [], 3)
    x, y = place(drawing, wide, 3)
    assert place(drawing, tall, 6) == (x + 24 + grid.GAP + 6, y - 6)  # 24 px cells, centred


def test_equal_images_give_equal_bytes(tmp_path):
    for name in "ab":
        drawing = grid.draw_grid([[picture(1), picture(2)]], ["real"], ["Bag", "Coat"], 4)
        drawing.save(tmp_path / name, format="PNG")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "rows, titles, columns, says",
    [
        ([], [], [], "rows of"),
        ([[None]], ["x"], [], "not all empty"),
        ([[picture()], [picture(), picture()]], ["x", "y"], [], "one length"),
        ([[picture()]], ["x", "y"], [], "2 row titles for 1 rows"),
        ([[picture()] * 3], ["x"], ["a", "b"], "2 column titles for rows of 3"),
    ],
)
def test_what_does_not_make_a_grid_is_refused(rows, titles, columns, says):
    with pytest.raises(ValueError, match=says):
        grid.draw_grid(rows, titles, columns, 2)


def test_the_first_images_of_each_class_are_taken():
    labels = [2, 0, 2, 2, 1, 0]
    assert grid.choose_first(labels, [0, 1, 2, 3], 2) == [[1, 5], [4], [0, 2], []]
    a, b, c = (picture(i) for i in range(3))
    assert grid.arrange([[a, b], [c]], 2) == [[a, c], [b, None]]


@pytest.mark.parametrize("side, scale", [(28, 3), (32, 3), (84, 1), (100, 0.84), (512, 84 / 512)])
def test_small_images_are_enlarged_by_a_whole_number(side, scale):
    assert grid.choose_scale(side, 84) == pytest.approx(scale)


def test_column_titles_may_span_different_numbers_of_columns():
    rows = [[picture(i) for i in range(6)]]
    drawing = grid.draw_grid(rows, ["x"], ["A", "B", "ours", "theirs"], 4, spans=[1, 1, 3, 1])
    xs = [place(drawing, image, 4)[0] for image in rows[0]]
    wide, near = 20 + grid.GROUP_GAP, 20 + grid.GAP
    assert np.diff(xs).tolist() == [wide, wide, near, near, wide]


def table(name, shade, each=2):
    """An image table of two classes, each image of its own shade."""
    labels = [0, 1] * each
    return image_tables.build_table(
        data=[encode_png(np.full((8, 8, 3), shade + i, np.uint8)) for i in range(2 * each)],
        labels=labels,
        class_names=[("Bag", "Ankle boot")[k] for k in labels],
        image_ids=[f"{name}/{i}" for i in range(2 * each)],
    )


def shades_of(name, folder):
    """The shades in the figure that a script makes of the three sets."""
    paths = {}
    for kind, shade in {"real": 10, "pretrained": 60, "finetuned": 110}.items():
        paths[kind] = folder / f"{kind}.parquet"
        image_tables.write(table(kind, shade), paths[kind])
    spec = importlib.util.spec_from_file_location(f"stage_{name}", SCRIPTS / f"{name}.py")
    stage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stage)
    out, params = (
        folder / f"{name}.png",
        SimpleNamespace(cfg={"classes": 2, "images": 2, "cell": 24}),
    )
    stage.main(
        SimpleNamespace(input=paths, output=[out], params=params, log=[folder / "log"], threads=1)
    )
    drawing = Image.open(out)
    every = [shade + i for shade in (10, 60, 110) for i in range(4)]
    return [s for s in every if place(drawing, Image.new("RGB", (8, 8), (s, s, s)), 3)]


def test_figure1_shows_as_many_images_of_every_generator(tmp_path):
    shown = [shade + i for shade in (10, 60, 110) for i in range(4)]
    assert shades_of("figure1", tmp_path) == shown


def test_figure5_shows_one_row_of_real_and_of_pretrained_images_and_several_of_ours(tmp_path):
    assert shades_of("figure5", tmp_path) == [10, 11, 60, 61, 110, 111, 112, 113]


def test_a_gallery_stands_in_order_and_leaves_missing_images_empty():
    drawing = grid.draw_gallery(
        [("real", table("real", 10, each=1), 1), ("ours", table("ours", 60, each=1), 2)],
        classes=2,
        cell=24,
    )
    shades = [10, 11, 60, 61]
    images = [Image.new("RGB", (8, 8), (s, s, s)) for s in shades]
    (a, b, c, d) = (place(drawing, image, 3) for image in images)
    assert a[1] == b[1] < c[1] == d[1] and a[0] == c[0] < b[0] == d[0]
    below = np.asarray(drawing)[c[1] + 24 + grid.GAP, c[0]]
    assert tuple(below) == grid.EMPTY


def test_hundreds_of_classes_stand_in_blocks_that_a_browser_opens():
    row = [picture(c, 32, 32) for c in range(300)]
    drawing = grid.draw_blocks([row, row], ["real", ""], [f"class {c}" for c in range(300)], 2)
    first, last = row[0], row[-1]
    assert max(drawing.size) < 8_000 and drawing.width < 1_200
    assert place(drawing, first, 2)[1] < place(drawing, last, 2)[1]
    few = [row[:12]], ["real"], [f"class {c}" for c in range(12)], 2
    assert grid.draw_blocks(*few).tobytes() == grid.draw_grid(*few).tobytes()


def test_classes_are_spread_evenly():
    assert grid.choose_spread(range(300), 3) == [0, 100, 200]
    assert grid.choose_spread([4, 7], 60) == [4, 7]
