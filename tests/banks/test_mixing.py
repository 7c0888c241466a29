"""Algorithm 1: the batched mixing equals one written straight from the paper."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from mvc.banks import change, mixing
from mvc.banks.recipes import read_recipes, stack_recipes, tabulate_recipes
from mvc.core import image_tables

M, D = 12, 8
DRAW = dict(rows=(0, M - 1), width=D, base="uniform", seed=0, first_id=0)


def tokens(k=5, m=M, d=D):
    return torch.randn(k, m, d, generator=torch.Generator().manual_seed(1))


def literal(E, recipe):
    """Algorithm 1, lines 4 to 15, with its own 1-based inclusive ranges and Python loops."""
    e = [[float(v) for v in row] for row in E[recipe["base"]]]
    for edit in recipe["coarse"]:
        r, s = edit["first"] + 1, edit["last"] + 1
        for row in range(r, s + 1):
            for column in range(1, len(e[0]) + 1):
                e[row - 1][column - 1] = float(E[edit["donor"], row - 1, column - 1])
    for edit in recipe["fine"]:
        u, v, w = edit["first"] + 1, edit["last"] + 1, edit["row"] + 1
        for column in range(u, v + 1):
            e[w - 1][column - 1] = float(E[edit["donor"], w - 1, column - 1])
    return torch.tensor(e)


@pytest.mark.parametrize("coarse, fine", [(2, 8), (0, 20), (6, 0), (1, 1), (0, 0)])
def test_materialise_equals_the_literal_algorithm(coarse, fine):
    E = tokens()
    rows = [*mixing.mix([0, 1, 3, 4], count=40, coarse=coarse, fine=fine, **DRAW)]
    mixed = mixing.materialise(E, stack_recipes(rows))
    assert torch.equal(mixed, torch.stack([literal(E, row) for row in rows]))


def test_without_edits_the_caption_comes_back_bit_for_bit():
    E = tokens().half()
    rows = [*mixing.mix([0, 1, 2], count=9, coarse=0, fine=0, **DRAW)]
    mixed = mixing.materialise(E, stack_recipes(rows))
    assert torch.equal(mixed, E[[row["base"] for row in rows]])


def test_later_edits_lie_over_earlier_ones():
    E = tokens()
    rows = [
        {
            "base": 0,
            "coarse": [
                {"donor": 1, "first": 2, "last": 5},
                {"donor": 2, "first": 4, "last": 7},
            ],
            "fine": [{"donor": 3, "row": 4, "first": 1, "last": 2}],
        }
    ]
    (mixed,) = mixing.materialise(E, stack_recipes(rows))
    assert torch.equal(mixed[:2], E[0, :2]) and torch.equal(mixed[8:], E[0, 8:])
    assert torch.equal(mixed[2:4], E[1, 2:4]) and torch.equal(mixed[5:8], E[2, 5:8])
    assert torch.equal(mixed[4, 1:3], E[3, 4, 1:3]) and torch.equal(mixed[4, 3:], E[2, 4, 3:])


def test_donors_are_of_the_class_and_never_the_base():
    rows = [*mixing.mix([3, 7, 9], count=200, coarse=3, fine=3, **DRAW)]
    for row in rows:
        donors = {edit["donor"] for edit in row["coarse"] + row["fine"]}
        assert donors <= {3, 7, 9} - {row["base"]}
    assert {row["base"] for row in rows} == {3, 7, 9}


def test_ranges_are_uniform_over_unordered_pairs():
    rows = mixing.mix([0, 1], count=6000, coarse=1, fine=0, **(DRAW | {"rows": (0, 3)}))
    seen = Counter((row["coarse"][0]["first"], row["coarse"][0]["last"]) for row in rows)
    assert set(seen) == {(a, b) for a in range(4) for b in range(a + 1, 4)}
    assert all(abs(count - 1000) < 150 for count in seen.values())  # 5 sd of a binomial is 144


def test_paper_fact_two_coarse_edits_replace_about_half_of_the_rows():
    draw = DRAW | {"rows": (0, 76)}
    rows = [*mixing.mix([0, 1], count=4000, coarse=2, fine=0, **draw)]
    replaced = (
        mixing.trace_coarse_sources(stack_recipes(rows), 77) != stack_recipes(rows).base[:, None]
    ).float()
    assert replaced.mean() == pytest.approx(0.55, abs=0.02)


def test_a_recipe_does_not_depend_on_how_many_are_drawn():
    few = [*mixing.mix([0, 1, 2], count=3, coarse=2, fine=2, **DRAW)]
    many = [*mixing.mix([0, 1, 2], count=30, coarse=2, fine=2, **DRAW)]
    assert many[:3] == few
    later = [*mixing.mix([0, 1, 2], count=3, coarse=2, fine=2, **(DRAW | {"first_id": 3}))]
    assert many[3:6] == later
    other = [*mixing.mix([0, 1, 2], count=3, coarse=2, fine=2, **(DRAW | {"seed": 1}))]
    assert other != few


def classes(labels, E, **changes):
    counts = {label: 2 * labels.count(label) for label in labels}
    options = dict(counts=counts, coarse=1, fine=1, rows="all", base="uniform", seed=0) | changes
    n = torch.full((len(labels),), E.shape[1])
    return [*mixing.mix_classes(labels, E, n, **options)]


def test_a_class_with_one_caption_keeps_it_unmixed():
    rows = classes([0, 0, 1], tokens(3))
    assert [row["label"] for row in rows] == [0, 0, 0, 0, 1, 1]
    alone = [row for row in rows if row["label"] == 1]
    assert all(row["base"] == 2 and row["coarse"] == [] == row["fine"] for row in alone)
    mixed = mixing.materialise(tokens(3), stack_recipes(rows))
    assert torch.equal(mixed[-1], tokens(3)[2])


def test_round_robin_uses_each_caption_in_turn():
    rows = classes([0, 0, 0], tokens(3), base="round_robin")
    assert [row["base"] for row in rows] == [0, 1, 2, 0, 1, 2]


def test_content_rows_leave_prefix_and_padding_alone():
    E = tokens(3, m=10)
    E[:, :4] = E[0, :4]  # shared start and prefix
    assert mixing.find_content_rows(E, torch.tensor([7, 6, 8])) == (4, 7)
    same = E[:1].repeat(2, 1, 1)
    assert mixing.find_content_rows(same, torch.tensor([7, 7])) == (0, 6)


def test_measures_of_change():
    E = tokens(2)
    E[:, :6] = E[0, :6]
    rows = [{"base": 0, "coarse": [{"donor": 1, "first": 0, "last": 5}], "fine": []}]
    rows += [{"base": 0, "coarse": [{"donor": 1, "first": 0, "last": M - 1}], "fine": []}]
    changes = change.measure_changes(E, stack_recipes(rows))
    assert changes[0] == 0 and changes[1] == pytest.approx(
        float((E[1] - E[0]).norm() / E[0].norm())
    )
    assert change.measure_no_ops(E, stack_recipes(rows)) == 0.5


def test_a_bank_survives_its_file(tmp_path: Path):
    rows = classes([0, 0, 0, 1], tokens(4), coarse=2, fine=3)
    table = tabulate_recipes(rows, [0.5] * len(rows))
    image_tables.write(table, tmp_path / "bank.parquet")
    back = read_recipes(image_tables.read(tmp_path / "bank.parquet"))
    E = tokens(4)
    assert torch.equal(mixing.materialise(E, back), mixing.materialise(E, stack_recipes(rows)))


def test_noise_is_as_far_from_the_base_as_the_edits_would_be():
    """The control of mixing: the same bases, the same size of change, no other caption in it."""
    E = tokens()
    rows = [*mixing.mix([0, 1, 3, 4], count=6, coarse=2, fine=3, **DRAW)]
    noisy = [*change.replace_by_noise(E, rows)]
    assert [row["base"] for row in noisy] == [row["base"] for row in rows]
    assert all(row["coarse"] == [] and row["fine"] == [] for row in noisy)
    recipes = stack_recipes(noisy)
    off = mixing.materialise(E, recipes) - E[recipes.base]
    for i, row in enumerate(noisy):
        rng = torch.Generator().manual_seed(row["seed"])
        assert torch.allclose(off[i], row["noise"] * torch.randn(M, D, generator=rng), atol=1e-6)
    large = torch.randn(4, 77, 64, generator=torch.Generator().manual_seed(2))
    rows = [
        *mixing.mix(
            [0, 1, 2, 3], count=20, coarse=2, fine=8, **DRAW | {"rows": (0, 76), "width": 64}
        )
    ]
    edited = change.measure_changes(large, stack_recipes(rows))
    assert torch.allclose(
        change.measure_changes(large, stack_recipes([*change.replace_by_noise(large, rows)])),
        edited,
        rtol=0.1,
    )


def test_a_bank_of_noise_comes_back_from_its_table():
    E = tokens()
    rows = [
        *change.replace_by_noise(E, [*mixing.mix([0, 1, 3], count=4, coarse=2, fine=3, **DRAW)])
    ]
    table = tabulate_recipes([{"label": 0, **row} for row in rows], [0.5] * 4)
    assert torch.equal(
        mixing.materialise(E, read_recipes(table)), mixing.materialise(E, stack_recipes(rows))
    )
