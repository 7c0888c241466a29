"""Template captions of the corpus: class synonyms and attributes measured from the image.

Axes: n images, h = w pixels.
"""

import numpy as np
from jaxtyping import Float, Int

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SYNONYMS = (
    ("t-shirt", "tee", "t-shirt top"),
    ("pair of trousers", "pair of pants", "trouser"),
    ("pullover", "sweater", "jumper"),
    ("dress", "gown", "frock"),
    ("coat", "jacket", "overcoat"),
    ("sandal", "open sandal", "strappy sandal"),
    ("shirt", "blouse", "button shirt"),
    ("sneaker", "trainer", "sports shoe"),
    ("bag", "handbag", "purse"),
    ("ankle boot", "boot", "high boot"),
)
GROUPS = {
    "tops": (0, 2, 4, 6),
    "trousers": (1,),
    "dresses": (3,),
    "footwear": (5, 7, 9),
    "bags": (8,),
}
OPENINGS = ("", "a photo of ", "an image of ", "a picture of ", "this is an image of ")
ATTRIBUTES = (("dark", "bright"), ("short", "long"), ("narrow", "wide"), ("smooth", "patterned"))


def measure(garments: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n 4"]:
    """Measure brightness, height, width and roughness (mean step between neighbours)."""
    solid = garments > 0.08
    area = np.maximum(solid.sum((1, 2)), 1)
    brightness = (garments * solid).sum((1, 2)) / area
    height = solid.any(2).sum(1)
    width = solid.sum(2).max(1)
    steps = np.abs(np.diff(garments, axis=2))
    inside = solid[:, :, 1:] & solid[:, :, :-1]
    roughness = (steps * inside).sum((1, 2)) / np.maximum(inside.sum((1, 2)), 1)
    return np.stack([brightness, height, width, roughness], 1).astype(np.float64)


def describe(
    measures: Float[np.ndarray, "n 4"], labels: Int[np.ndarray, " n"]
) -> Int[np.ndarray, "n 4"]:
    """Describe each measure as -1, 0 or 1: lowest, middle or highest third of its class."""
    levels = np.zeros(measures.shape, dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        low, high = np.quantile(measures[rows], [1 / 3, 2 / 3], axis=0)
        levels[rows] = (measures[rows] > high).astype(int) - (measures[rows] < low).astype(int)
    return levels


def write_caption(
    label: int,
    levels: Int[np.ndarray, "4"],
    *,
    colour: str | None,
    ground: str | None,
    generator: np.random.Generator,
) -> str:
    """Write a sentence: opening, up to three attributes, colour, synonym of the class, ground.

    Args:
        levels: brightness, height, width, roughness as -1, 0 or 1; 0 is left out.
        colour: of the garment; None for a greyscale picture.
        ground: e.g. "striped red background"; None leaves it out.
    """
    notable = [
        pair[int(level > 0)] for pair, level in zip(ATTRIBUTES, levels, strict=True) if level
    ]
    words = [word for word in notable if generator.random() < 0.75][:3]
    words += [colour] if colour else []
    words.append(str(generator.choice(SYNONYMS[label])))
    opening = str(generator.choice(OPENINGS))
    thing = add_article(" ".join(words))
    return opening + thing + (f" on {add_article(ground)}" if ground else "")


def add_article(words: str) -> str:
    """Add "a" or "an" before words."""
    return f"{'an' if words[0] in 'aeio' else 'a'} {words}"


def find_class(text: str) -> int | None:
    """Find the class whose synonym the caption names, by the longest match; None without one."""
    padded = f" {text.lower()} "
    matches = [
        (len(word), label)
        for label, words in enumerate(SYNONYMS)
        for word in (*words, CLASSES[label].lower())
        if f" {word} " in padded or f" {word}," in padded or f" {word}." in padded
    ]
    return max(matches)[1] if matches else None


def find_group(label: int) -> str:
    """Find the class group of a label."""
    return next(name for name, labels in GROUPS.items() if label in labels)
