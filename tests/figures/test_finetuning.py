"""The report of fine-tuning: samples that cannot be drawn end no run."""

import pytest
from mvc.figures.finetuning import try_to_draw
from PIL import Image


def test_try_to_draw_returns_what_is_drawn():
    picture = Image.new("RGB", (3, 2))
    assert try_to_draw(lambda: picture) == (picture, [])


@pytest.mark.parametrize("error", [MemoryError("too little\nof it"), ValueError("NaN"), OSError()])
def test_samples_that_fail_become_a_picture_and_a_warning(capsys, error):
    def fail():
        raise error

    picture, (warning,) = try_to_draw(fail)
    assert picture.size[0] > 100 and len(picture.getcolors(10_000)) > 1
    assert type(error).__name__ in warning and "is written" in warning and "\n" not in warning
    assert warning in capsys.readouterr().out


def test_an_interruption_is_none_of_them():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_to_draw(stop)
