import pytest
from mvc.unet.finetune import settle_steps


@pytest.mark.parametrize(
    ("images", "per_image", "steps"),
    [(50, 6, 300), (51, 5.9, 301), (249, 6, 1494), (250, 6, 1500), (10_000, 6, 1500)]
    + [(1, 0.1, 1), (50, None, 1500)],
)
def test_steps_follow_the_number_of_images_up_to_the_most(images, per_image, steps, capsys):
    cfg = {"steps": 1500, "steps_per_image": per_image, "text": "bank"}
    assert settle_steps(cfg, images) == cfg | {"steps": steps}
    said = capsys.readouterr().out
    assert (f"{steps:,} steps" in said) == (per_image is not None)
