"""Croissant 1.0 description of the data set, with the fields on responsible use (RAI 1.0).

Machines read it: https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "sc": "https://schema.org/",
    **{
        word: f"cr:{word}"
        for word in (
            "equivalentProperty extract field fileProperty fileObject fileSet format includes "
            "isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated "
            "replace samplingRate separator source subField transform"
        ).split()
    },
}
SPECIFICATIONS = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")
USE = (
    "To train image classifiers of these classes, the synthetic images beside the real ones. Not "
    "to measure with, nor as evidence of what the classes look like: measure on real images that "
    "are not in the set."
)
LIMITS = (
    "A synthetic image has the class that was asked for, which it may not show; details may be "
    "wrong. It varies the few real images that the generator saw and may repeat one. What those do "
    "not show, it does not add."
)
BIASES = (
    "The synthetic images carry over the biases of the real ones and of what the generator, CLIP "
    "and the captioner were trained on; a choice by CLIP prefers typical images of a class."
)
PERSONAL = (
    "Unknown: the synthetic images may show what the real ones show, persons included. The project "
    "looked for none."
)
RESPONSIBLE = {
    "dataCollection": "Real images of the user's data set, and synthetic ones made from them by "
    "Mixing Visual Concepts (MVC) with a fine-tuned or a pre-trained Stable Diffusion.",
    "dataCollectionType": ["Existing datasets", "Software Collection"],
    "dataCollectionRawData": "The column `original`, where a file is not as it was stored.",
    "dataPreprocessingProtocol": "Every image has the pixels that the project's classifiers are "
    "trained on: one size, one number of channels. provenance.csv lists the synthetic images that "
    "were left out and why; near copies of validation and test images always are.",
    "dataAnnotationProtocol": "Real images: the labels of their data set. Synthetic images: the "
    "class of their prompt, checked by no person.",
    "machineAnnotationTools": ["CLIP: clip_probability", "BLIP-2, or the user's file: captions"],
    "dataUseCases": USE,
    "dataLimitations": LIMITS,
    "dataBiases": BIASES,
    "personalSensitiveInformation": PERSONAL,
    "dataSocialImpact": "Synthetic images can be taken for photographs: every file says in its own "
    "metadata that a model made it (IPTC digital source type trainedAlgorithmicMedia).",
}


def format_croissant(folder: Path, *, name: str, splits: Sequence[str]) -> str:
    """Format a description of a folder's Parquet files, one record set per split, as JSON-LD."""
    files = {split: sorted((folder / "data").glob(f"{split}-*.parquet")) for split in splits}
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": f"{name}, augmented",
        "description": f"Real images of {name}, and synthetic ones of the same classes.",
        "conformsTo": list(SPECIFICATIONS),
        "version": "1.0.0",
        "license": "unknown: see README.md",
        "keywords": ["synthetic", "image classification"],
        "isLiveDataset": False,
        "distribution": [_describe_split(split, files[split]) for split in splits],
        "recordSet": [_describe_records(split, files[split]) for split in splits],
        **{f"rai:{key}": value for key, value in RESPONSIBLE.items()},
    }
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def _describe_split(split: str, files: Sequence[Path]) -> dict:
    kind = {"name": f"{split}-files", "encodingFormat": "application/x-parquet"}
    if len(files) > 1:
        pattern = f"data/{split}-*.parquet"
        return {"@type": "cr:FileSet", "@id": f"{split}-files", **kind, "includes": pattern}
    with files[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    place = {"contentUrl": f"data/{files[0].name}", "contentSize": f"{files[0].stat().st_size} B"}
    return {"@type": "cr:FileObject", "@id": f"{split}-files", **kind, **place, "sha256": digest}


def _describe_records(split: str, files: Sequence[Path]) -> dict:
    kind = "fileSet" if len(files) > 1 else "fileObject"
    source = {kind: {"@id": f"{split}-files"}}
    fields = [_describe_field(split, column, source) for column in pq.read_schema(files[0])]
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"One record per image of the split {split}.",
        "field": fields,
    }


def _describe_field(split: str, column: pa.Field, source: dict) -> dict:
    extract = {"extract": {"column": column.name}}
    kinds = {pa.int64(): "sc:Integer", pa.int32(): "sc:Integer", pa.bool_(): "sc:Boolean"}
    kind = kinds.get(column.type, "sc:Float" if pa.types.is_floating(column.type) else "sc:Text")
    if column.name == "image":
        kind, extract = "sc:ImageObject", extract | {"transform": {"jsonPath": "bytes"}}
    return {
        "@type": "cr:Field",
        "@id": f"{split}/{column.name}",
        "name": column.name,
        "dataType": kind,
        "repeated": pa.types.is_list(column.type),
        "source": source | extract,
    }
