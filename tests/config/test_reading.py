"""What YAML and the command line would lose silently."""

import pytest
from mvc.config.expand import list_subset_faults
from mvc.config.reading import list_key_faults, list_null_faults, list_option_faults


def write(folder, text):
    file = folder / "own.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "text, key, places",
    [
        ("seed: 1\nname: a\nseed: 2\n", "seed", (1, 3)),
        ("unet:\n  steps: 1\n  text: bank\n  steps: 1\n", "unet.steps", (2, 4)),
        ("unet: {steps: 1}\nunet: {text: bank}\n", "unet", (1, 2)),
        ("datasets: {a: {path: x},\n 'a': {path: y}}\n", "datasets.a", (1, 2)),
        ('{"seed": 1,\n "seed": 2}', "seed", (1, 2)),
        ("\ufeffseed: 1\r\nseed: 2\r\n", "seed", (1, 2)),
        ("a: [{b: 1,\n b: 2}]", "a.b", (1, 2)),
    ],
)
def test_list_key_faults_names_both_places(tmp_path, text, key, places):
    file = write(tmp_path, text)
    (line,) = list_key_faults([file])
    assert line.startswith(f"{key}: ")
    assert all(f"{file}:{place}" in line for place in places)


@pytest.mark.parametrize(
    "name",
    ["no", "Yes", "on", "off", "true", "null", "~", "2023", "010", "1:30", "1.5", "2024-01-02"],
)
def test_list_key_faults_names_what_yaml_takes_for_no_name(tmp_path, name):
    (line,) = list_key_faults([write(tmp_path, f"datasets:\n  {name}: {{loader: digits}}\n")])
    assert f"datasets.{name}: " in line and "own.yaml:2" in line and f'"{name}"' in line
    assert not list_key_faults([write(tmp_path, f'datasets:\n  "{name}": {{loader: digits}}\n')])


def test_list_key_faults_accepts_anchors_merges_and_empty_files(tmp_path):
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: *a\nd: no\n"
    assert not list_key_faults([write(tmp_path, text)])
    assert not list_key_faults([write(tmp_path, "")])
    (line,) = list_key_faults([write(tmp_path, "a: &a {x: 1, x: 2}\nb: *a\n")])
    assert line.startswith("a.x: ")


@pytest.mark.parametrize(
    "command, spelling",
    [
        ("--configfile a.yaml --configfile b.yaml -- tables", "--configfile a.yaml b.yaml"),
        ("-n --configfile=a.yaml --configfiles b.yaml", "--configfile a.yaml b.yaml"),
        ("--config seed=1 -n --config name=x", "--config seed=1 name=x"),
        ("-C seed=1 --config name=x", "--config seed=1 name=x"),
        ("--configfile a.yaml b.yaml --config seed=1 name=x", None),
        ("tables --cores 2", None),
    ],
)
def test_list_option_faults_gives_the_spelling_that_reads_all(command, spelling):
    lines = list_option_faults(command.split())
    assert len(lines) == (spelling is not None)
    assert all(spelling in line for line in lines)


def test_list_subset_faults_names_both_data_sets():
    a, other = {"path": "x", "subsets": 2}, {"path": "y"}
    (line,) = list_subset_faults({"a": a, "a-0": other})
    assert "a-0 is made of a and of a-0" in line
    assert list_subset_faults({"a": a, "a-1": {"like": "b"}, "b": other})
    assert not list_subset_faults({"a": a, "a-2": other, "a-0": None})


def test_null_of_what_is_not_there_is_refused(tmp_path):
    first, second = tmp_path / "config.yaml", tmp_path / "mine.yaml"
    first.write_text("datasets: {shirts: {loader: digits}}\nclassifiers: {arms: {ra: {}}}\n")
    second.write_text(
        "datasets: {shirt: null, shirts: null}\nclassifiers: {arms: {aa: null, ra: null}}\n"
    )
    assert list_null_faults([first]) == []
    assert list_null_faults([second, first]) == list_null_faults([first, second])
    datasets, arms = list_null_faults([first, second])
    assert datasets.startswith("datasets.shirt: null") and datasets.endswith("there are shirts")
    assert arms.startswith("classifiers.arms.aa: null") and arms.endswith("there are ra")
