"""Prompts: the class, and the caption of an image (Section 3.2)."""


def make_prompt(caption: str, class_name: str, *, prefix: str) -> str:
    """Make the text that is embedded: the prefix with the class in it, then the caption.

    >>> make_prompt("a red shirt", "Shirt", prefix="This is an image of {class}")
    'This is an image of Shirt, a red shirt'
    """
    head = prefix.replace("{class}", class_name)
    return ", ".join(part for part in (head, caption.strip()) if part)
