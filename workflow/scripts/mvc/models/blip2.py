"""BLIP-2, the model that captions images."""

import torch

from mvc.core.device import pick_precision
from mvc.models.opening import (
    check_loaded,
    explain_missing,
    fetch_folder,
    require_files,
    settle_model,
)
from mvc.models.parts import PARTS


def load_captioner(name: str, *, device: str | torch.device = "cpu"):
    """Open BLIP-2 and its processor from a folder or a hub name.

    Returns:
        The model (in the device's precision, frozen), and its processor.

    Raises:
        FileNotFoundError: `name` is neither a folder with a whole model nor can it be downloaded.
    """
    from transformers import Blip2ForConditionalGeneration, Blip2Processor

    dtype = pick_precision(device)
    with explain_missing("captioner", name):
        folder = fetch_folder(name, "captioner")
        require_files(folder, "captioner")  # else the library opens its default model
        processor = Blip2Processor.from_pretrained(folder)
        model, report = Blip2ForConditionalGeneration.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            variant=PARTS["captioner"].find_weights(folder).variant,
            output_loading_info=True,
        )
    check_loaded("captioner", name, report)
    mark_image(model, processor, name)
    return settle_model("captioner", name, model, device), processor


def mark_image(model, processor, name: str) -> None:
    """Give a model of the layout of 2023 the token that stands for the image, as today's have it.

    Its embedding is never used: the image's states take its place.

    Raises:
        ValueError: the vocabulary has no room for it.
    """
    if model.config.image_token_index is not None:
        return
    token = processor.tokenizer.convert_tokens_to_ids("<image>")  # Blip2Processor has added it
    rows = model.get_input_embeddings().num_embeddings
    if not 0 <= token < rows:
        raise ValueError(
            f"models.captioner = {name}: config.json: no image_token_index, and no room for one in "
            f"the vocabulary ({rows} rows); use Salesforce/blip2-opt-2.7b"
        )
    model.config.image_token_index = token
