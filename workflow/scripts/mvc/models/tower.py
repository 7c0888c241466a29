"""Which text tower of CLIP a U-Net was trained with, and which of its states it reads.

Standard library only, since the workflow reads this while it is parsed. Functions return faults,
one line each: the file, the key, its value, what is allowed, the fix.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mvc.models.parts import ENCODER, TOKENS, UNET

CONTEXT = 77  # tokens of CLIP's text tower, and so of every Stable Diffusion U-Net
# Text encoders, as transformers describes them, of U-Nets that come without `text_encoder/`, by the
# width of the states: those of Stable Diffusion 1.x and 2.x.
KNOWN = {
    768: {
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "quick_gelu",
    },
    1024: {
        "num_hidden_layers": 23,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "hidden_act": "gelu",
    },
}
# The text tower of a U-Net by the width of its states.
TOWERS = {
    768: "for Stable Diffusion 1.x ViT-L-14-quickgelu/openai",
    1024: "for Stable Diffusion 2.x ViT-H-14/laion2b_s32b_b79k",
}
HINTS = {
    "quick_gelu": " (its hidden_act): the weights of OpenAI need an architecture whose name ends "
    "in -quickgelu, as ViT-L-14-quickgelu/openai",
    "layers": ", or 1 more (its num_hidden_layers): the U-Net reads the states of the last block, "
    "or as Stable Diffusion 2.x of the one before it",
}
# Ids of the tokens that prompts are padded with; None is the end token.
PADDING = {"<|endoftext|>": None, "!": 0}


class Reading(NamedTuple):
    """How a U-Net reads CLIP's text tower."""

    layers: int | None  # transformer blocks before the final layer norm; None: all
    padding: int | None  # token id; None: the end token


def find_encoder(unet: Mapping, encoder: Mapping) -> Mapping:
    """The config of a U-Net's text encoder: its own, else the usual one of its width."""
    width = unet.get("cross_attention_dim")
    return encoder or (KNOWN.get(width, {}) if isinstance(width, int) else {})


def find_reading(unet: Mapping, encoder: Mapping, tokens: Mapping) -> Reading:
    """Find how a U-Net reads the text tower, as diffusers would.

    Stable Diffusion 1.x reads the states after the last block and pads with the end token; 2.x
    reads those after the last but one and pads with token 0. Both apply the final layer norm.

    Args:
        unet: its config.
        encoder: config of its text encoder, empty where the folder has none.
        tokens: its file `TOKENS`, empty where the folder has none.

    Raises:
        ValueError: another padding.
    """
    pad = tokens.get("pad_token")
    pad = pad.get("content") if isinstance(pad, Mapping) else pad
    encoder = find_encoder(unet, encoder)
    if pad is None:
        pad = "!" if unet.get("cross_attention_dim") == 1024 else "<|endoftext|>"
    if pad not in PADDING:
        raise ValueError(f"{TOKENS}: pad_token = {pad!r}; must be one of {', '.join(PADDING)}")
    return Reading(encoder.get("num_hidden_layers"), PADDING[pad])


def list_clip_faults(clip: Mapping, place: str) -> Iterator[str]:
    """List what makes the text tower of an open_clip model other than CLIP's.

    Args:
        clip: `model_cfg` of open_clip.
        place: where it stands, for messages.
    """
    text = clip.get("text_cfg")
    if not isinstance(text, Mapping):
        yield f"{place}: no text_cfg; must be the config of an open_clip model"
        return
    for key in ("hf_model_name", "hf_tokenizer_name"):
        if text.get(key):
            yield (
                f"{place}: {key} = {text[key]!r}; must be absent: the text tower must be CLIP's "
                "own, with CLIP's tokenizer (a SigLIP or multilingual model has another)"
            )
    if clip.get("multimodal_cfg") or text.get("embed_cls"):
        yield f"{place}: a CoCa model, with another text tower; must be a CLIP model"


def list_text_faults(clip: Mapping, place: str, unet: Mapping, encoder: Mapping) -> Iterator[str]:
    """List how CLIP's text tower is not the one that the U-Net was trained with.

    Args:
        clip, place: see `list_clip_faults`.
        unet: its config.
        encoder: config of the model's own text encoder, empty where the folder has none.
    """
    text = clip["text_cfg"]
    if encoder and encoder.get("model_type", "clip_text_model") not in ("clip_text_model", "clip"):
        yield (
            f"{ENCODER}: model_type = {encoder['model_type']!r}; must be clip_text_model: the "
            "U-Net was trained with another kind of text encoder than CLIP's; use a "
            "text-to-image model of the layout of Stable Diffusion 1.x or 2.x"
        )
        return
    reads, width = unet.get("cross_attention_dim"), text.get("width", 512)
    if isinstance(reads, int) and reads != width:
        yield (
            f"{UNET}: cross_attention_dim = {reads}, {place}: width = {width}; must be equal: set "
            "models.clip to the text encoder that the U-Net was trained with "
            f"({TOWERS.get(reads, 'see the card of the U-Net')})"
        )
        return
    meant = _describe_encoder(find_encoder(unet, encoder))
    there = _describe_tower(clip, text)
    if meant["layers"] == there["layers"] - 1:
        there["layers"] -= 1  # one block before the last, see `find_reading`
    origin = f"as {ENCODER} says" if encoder else _explain_usual(reads)
    for key, value in meant.items():
        if value is not None and there[key] != value:
            yield f"{place}: {key} = {there[key]}; must be {value}, {origin}{HINTS.get(key, '')}"


def _explain_usual(width: int) -> str:
    version = {768: " 1.x", 1024: " 2.x"}.get(width, "")
    return (
        f"as Stable Diffusion{version}'s text encoder; if the U-Net reads another one, put its "
        f"{ENCODER} beside it"
    )


def _describe_encoder(encoder: Mapping) -> dict[str, int | bool | None]:
    """What makes the states of a text encoder of transformers, under open_clip's keys."""
    return {
        "layers": encoder.get("num_hidden_layers"),
        "heads": encoder.get("num_attention_heads"),
        "mlp_width": encoder.get("intermediate_size"),
        "context_length": encoder.get("max_position_embeddings", CONTEXT),
        "vocab_size": encoder.get("vocab_size"),
        "quick_gelu": encoder["hidden_act"] == "quick_gelu" if "hidden_act" in encoder else None,
    }


def _describe_tower(clip: Mapping, text: Mapping) -> dict:
    """The same of open_clip's text tower, with its defaults."""
    usual = {"layers": 12, "heads": 8, "context_length": CONTEXT, "vocab_size": 49408}
    there = usual | {key: value for key, value in text.items() if key in usual}
    there["mlp_width"] = int(text.get("width", 512) * text.get("mlp_ratio", 4.0))
    there["quick_gelu"] = bool((clip | text).get("quick_gelu", False))
    return there
