"""miniature_text: compute the text states that the U-Net is trained on."""

from pathlib import Path

from mvc.job import stage_log
from mvc.miniature import unet
from mvc.miniature.saving import load_parts, save_tensors
from mvc.models.clip import load_clip


def main(snakemake) -> None:
    with stage_log(snakemake):
        train, _ = load_parts(snakemake.input, snakemake.params.cfg["foundation"])
        clip, _, tokenizer = load_clip(str(Path(snakemake.input.clip).parent))
        states, rows = unet.cache_text(clip, tokenizer, train.captions)
        save_tensors({"states": states, "rows": rows}, snakemake.output[0])
        print(f"{len(states):,} distinct captions of {len(rows):,}")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
