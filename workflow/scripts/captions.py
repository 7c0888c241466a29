"""captions: one prompt for each training image, by BLIP-2 or from the user's own file."""

import pyarrow as pa
from mvc import captions
from mvc.console.progress import progress
from mvc.core import image_tables
from mvc.core.decoding import decode
from mvc.core.device import pick_device
from mvc.core.leakage import check_held_out
from mvc.job import stage_log
from mvc.models import blip2


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    with stage_log(snakemake) as report:
        train = image_tables.read(snakemake.input.images)
        check_held_out(train, image_tables.read(snakemake.input.held_out))
        ids = train["image_id"].to_pylist()
        names = train["class_name"].to_pylist()
        if not cfg["describe"]:
            source = "none"
            texts = [""] * len(ids)
        elif cfg["file"]:
            source = cfg["file"]
            texts = captions.read_captions(source, ids)
        else:
            source = cfg["captioner"]
            model, processor = blip2.load_captioner(source, device=pick_device())
            images = (decode(data) for data in image_tables.get_bytes(train))
            search = {key: cfg[key] for key in ("max_new_tokens", "num_beams", "batch_size")}
            texts = captions.generate_captions(images, model=model, processor=processor, **search)
            texts = list(progress(texts, total=len(ids), unit="images"))
        pairs = zip(texts, names, strict=True)
        prompts = [captions.make_prompt(text, name, prefix=cfg["prefix"]) for text, name in pairs]
        print(f"{len(set(texts)):,} distinct captions of {len(texts):,} images")
        table = train.select(["image_id", "label", "class_name"])
        columns = {"caption": texts, "prompt": prompts, "captioner": [source] * len(texts)}
        for name, values in columns.items():
            table = table.append_column(name, pa.array(values, pa.string()))
        image_tables.write(table, snakemake.output[0])
        report(len(texts), "captions")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
