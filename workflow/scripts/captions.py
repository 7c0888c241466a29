"""captions: one prompt for each training image, by BLIP-2 or from the user's own file."""

import pyarrow as pa
from mvc.captions import generation, own, prompts
from mvc.console.progress import progress
from mvc.core import image_tables
from mvc.core.device import pick_device
from mvc.core.leakage import check_held_out
from mvc.core.square import decode_square
from mvc.job import stage_log
from mvc.models import blip2


def write_captions(cfg, train, ids) -> tuple[list[str], list[str]]:
    """The captions of the training images and where each is from: the user's file, or BLIP-2."""
    texts = own.read_captions(cfg["file"], ids) if cfg["file"] else [None] * len(ids)
    if cfg["file"] and cfg["missing"] == "error":
        own.check_complete(texts, ids, path=cfg["file"])
    sources = [cfg["captioner"] if text is None else cfg["file"] for text in texts]
    missing = [row for row, text in enumerate(texts) if text is None]
    if missing:
        model, processor = blip2.load_captioner(cfg["captioner"], device=pick_device())
        files, fit = image_tables.get_bytes(train.take(missing)), image_tables.get_fit(train)
        images = (decode_square(data, fit) for data in files)
        search = {key: cfg[key] for key in ("max_new_tokens", "num_beams", "batch_size")}
        made = generation.generate_captions(images, model=model, processor=processor, **search)
        made = progress(made, total=len(missing), unit="images")
        for row, text in zip(missing, made, strict=True):
            texts[row] = text
    return texts, sources


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake) as report:
        train = image_tables.read(snakemake.input.images)
        check_held_out(train, image_tables.read(snakemake.input.held_out))
        ids = train["image_id"].to_pylist()
        names = train["class_name"].to_pylist()
        if not cfg["describe"]:
            texts, sources = [""] * len(ids), ["none"] * len(ids)
        else:
            texts, sources = write_captions(cfg, train, ids)
        pairs = zip(texts, names, strict=True)
        texts_with_class = [
            prompts.make_prompt(text, name, prefix=cfg["prefix"]) for text, name in pairs
        ]
        print(f"{len(set(texts)):,} distinct captions of {len(texts):,} images")
        table = train.select(["image_id", "label", "class_name"])
        columns = {"caption": texts, "prompt": texts_with_class, "captioner": sources}
        for name, values in columns.items():
            table = table.append_column(name, pa.array(values, pa.string()))
        image_tables.write(table, snakemake.output[0])
        report(len(texts), "captions")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
