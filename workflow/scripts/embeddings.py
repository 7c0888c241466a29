"""embeddings: the CLIP token states of every prompt, identical prompts computed once."""

from mvc import embeddings
from mvc.core import image_tables
from mvc.core.atomic import atomic
from mvc.core.device import pick_device
from mvc.job import stage_log
from mvc.models.clip import load_text_tower
from safetensors.torch import save_file


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake) as report:
        prompts = image_tables.read(snakemake.input.captions, ["prompt"])["prompt"].to_pylist()
        model, tokenizer, padding = load_text_tower(
            cfg["clip"], cfg["diffusion"], device=pick_device()
        )
        settings = {"tokenizer": tokenizer, "batch_size": cfg["batch_size"], "padding": padding}
        tensors = embeddings.embed_distinct(prompts, model=model, **settings)
        distinct = set(prompts)
        truncated = int((tensors["n_tokens"] > tensors["tokens"].shape[1]).sum())
        print(f"{len(distinct):,} distinct of {len(prompts):,} prompts; {truncated:,} truncated")
        with atomic(snakemake.output[0]) as temporary:
            # One key of metadata, since the order of several is not fixed.
            save_file(tensors, temporary, {"clip": cfg["clip"]})
        report(len(prompts), "embeddings", f"{len(distinct):,} distinct")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
