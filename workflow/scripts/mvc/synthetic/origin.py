"""What a shard was made with, in its metadata: with it any of its images can be made again."""

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mvc.core.hashing import digest_files

KEY = b"mvc.origin"
INPUTS = ("images", "embeddings", "bank", "models")  # of the rule, beside the U-Net's weights


def mark_origin(shard: pa.Table, cfg: Mapping, inputs: object, threads: int) -> pa.Table:
    """Mark a shard with the settings, the digests of its inputs and the CPU threads of its job.

    Args:
        cfg: what the stage reads of the configuration.
        inputs: has the files of each of `INPUTS` as an attribute, one or a list.
    """
    files = {name: getattr(inputs, name) for name in INPUTS}
    lists = {name: [file] if isinstance(file, str) else file for name, file in files.items()}
    digests = {name: digest_files(*paths) for name, paths in lists.items()}
    origin = {"cfg": dict(cfg), "digests": digests, "threads": threads}
    metadata = {**(shard.schema.metadata or {}), KEY: json.dumps(origin, ensure_ascii=False)}
    return shard.replace_schema_metadata(metadata)


def read_origin(path: str | Path) -> dict:
    """Read what `mark_origin` wrote to a shard.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no shard of a generator, or one of an earlier version.
    """
    wanted = "results/<data set>/synthetic/{finetuned,pretrained,mixed}/<i>-of-<n>.parquet"
    try:
        schema = pq.read_schema(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is no Parquet file; must be {wanted}") from error
    if KEY in (metadata := schema.metadata or {}):
        return json.loads(metadata[KEY])
    if "generator_digest" in schema.names:
        raise ValueError(
            f"{path} does not say with which settings it was made, as shards of version 0.1 do "
            "not: run the workflow again"
        )
    raise ValueError(f"{path} holds no images of a generator; must be {wanted}")
