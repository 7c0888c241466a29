"""Dataset augmentation by mixing visual concepts: the library behind the workflow's stages.

Its face is the functions of `__all__` (docs/python.md). Each is imported when it is first asked for
(PEP 562), so that `import mvc` costs nothing; a stage imports the modules that it needs.
"""

__all__ = [
    "caption",
    "embed",
    "mix",
    "materialise",
    "tune",
    "load_generator",
    "generate",
    "filter",
    "remake",
    "load_classifier",
    "predict",
]


def __getattr__(name: str):
    if name in ("caption", "embed", "mix", "materialise"):
        from mvc.library import texts as module
    elif name == "tune":
        from mvc.library import tuning as module
    elif name in ("load_generator", "generate", "filter"):
        from mvc.library import generators as module
    elif name == "remake":
        from mvc.library import remaking as module
    elif name in ("load_classifier", "predict"):
        from mvc.library import classifiers as module
    else:
        raise AttributeError(f"mvc has no {name!r}; its functions are {', '.join(__all__)}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
