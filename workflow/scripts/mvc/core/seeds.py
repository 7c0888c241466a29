"""Seeds of independent random streams."""

import hashlib


def derive_seed(root: int, stage: str, index: int = 0) -> int:
    """A seed for one item of one stage, independent of every other item's.

    Args:
        root: the workflow's seed.
        stage: the stream's name.
        index: the item's global index; the same whatever the shard or batch it falls in.

    Returns:
        An integer in [0, 2**63).
    """
    blob = hashlib.sha256(f"{root}/{stage}/{index}".encode()).digest()
    return int.from_bytes(blob[:8], "big") >> 1
