"""The miniature BLIP-2: processor, training and quality.

Axes: n pictures, t tokens, c = 3 colour channels, h = w = 32 pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessor,
    PreTrainedTokenizerFast,
)

from mvc.captions.generation import generate_captions
from mvc.miniature import training
from mvc.miniature.templates import CLASSES, find_class, find_group

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
PAD, END = SPECIAL.index("<pad>"), SPECIAL.index("</s>")  # OPT starts texts with </s> too

# Without text of its own and without dropout; every layer looks at the picture.
QFORMER = {
    "vocab_size": 8,
    "max_position_embeddings": 16,
    "cross_attention_frequency": 1,
    "attention_probs_dropout_prob": 0.0,
    "hidden_dropout_prob": 0.0,
}


def create_processor(captions: Sequence[str], *, size: int, queries: int) -> Blip2Processor:
    """Create a byte-level BPE, learned from the captions, and the image processor."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        captions,
        trainers.BpeTrainer(
            vocab_size=1000,
            min_frequency=50,
            special_tokens=SPECIAL,
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    core.post_processor = processors.TemplateProcessing(
        single="</s> $A", special_tokens=[("</s>", END)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="</s>", eos_token="</s>", pad_token="<pad>"
    )
    half = [0.5, 0.5, 0.5]
    pictures = BlipImageProcessor(
        size={"height": size, "width": size}, image_mean=half, image_std=half
    )
    return Blip2Processor(pictures, tokenizer, num_query_tokens=queries)


def create(
    processor: Blip2Processor,
    *,
    size: int,
    vision: dict[str, int],
    qformer: dict[str, int],
    text: dict[str, int],
) -> Blip2ForConditionalGeneration:
    """Create an untrained BLIP-2: vision transformer, Q-Former, OPT.

    Two defaults of transformers prevent training from scratch, so they are set here: the vision
    tower's initial deviation (1e-10) and the query tokens (all zero, so alike).
    """
    tokenizer = processor.tokenizer
    config = Blip2Config(
        vision_config={"image_size": size, "initializer_range": 0.02, "qkv_bias": True, **vision},
        qformer_config={**QFORMER, "encoder_hidden_size": vision["hidden_size"], **qformer},
        text_config={
            "model_type": "opt",
            "vocab_size": len(tokenizer),
            "word_embed_proj_dim": text["hidden_size"],
            "max_position_embeddings": 96,
            "dropout": 0.0,
            "bos_token_id": END,
            "eos_token_id": END,
            "pad_token_id": PAD,
            **text,
        },
        num_query_tokens=processor.num_query_tokens,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_text_hidden_size=64,
    )
    model = Blip2ForConditionalGeneration(config)
    nn.init.normal_(model.query_tokens, std=0.02)
    return model


def encode_captions(processor: Blip2Processor, captions: Sequence[str]) -> Int[Tensor, "n t"]:
    """Encode captions: image placeholders, start, caption, end, padding."""
    tokenizer = processor.tokenizer
    images = [tokenizer.convert_tokens_to_ids("<image>")] * processor.num_query_tokens
    rows = [[*images, *ids, END] for ids in tokenizer(list(captions)).input_ids]
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


def train(
    model: Blip2ForConditionalGeneration,
    images: UInt8[Tensor, "n 3 h w"],
    ids: Int[Tensor, "n t"],
    labels: Int[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    *,
    batch_size: int,
    class_loss: float,
    generator: torch.Generator,
    **settings,
) -> None:
    """Train on the next-token loss, plus `class_loss` x that of a linear class head.

    The head, on the pooled vision output, stands for the pre-training of a real vision tower, and
    is then thrown away.

    Args:
        weights: proportional to how often each picture is drawn.
        settings: of `training.run`.
    """
    prompt = model.config.num_query_tokens + 1  # image placeholders and the start token
    chances, truth = torch.from_numpy(weights), torch.from_numpy(labels)
    model.add_module("head", nn.Linear(model.config.vision_config.hidden_size, len(CLASSES)))

    def loss_of(step: int) -> Tensor:
        rows = torch.multinomial(chances, batch_size, replacement=True, generator=generator)
        tokens = ids[rows]
        tokens = tokens[:, : int((tokens != PAD).sum(1).max())]
        target = tokens.masked_fill(tokens == PAD, -100)
        target[:, :prompt] = -100
        out = model(
            pixel_values=images[rows].float() / 127.5 - 1,
            input_ids=tokens,
            attention_mask=(tokens != PAD).long(),
            labels=target,
        )
        classes = F.cross_entropy(model.head(out.vision_outputs.pooler_output), truth[rows])
        return out.loss + class_loss * classes

    training.run(model, loss_of, **settings)
    del model.head


def measure_quality(
    model: Blip2ForConditionalGeneration,
    processor: Blip2Processor,
    images: UInt8[Tensor, "n 3 h w"],
    labels: Int[np.ndarray, " n"],
) -> dict[str, float]:
    """Measure how many captions name class and class group, in %, and how many are distinct."""
    texts = describe(model, processor, images)
    named = [find_class(text) for text in texts]
    pairs = list(zip(named, labels.tolist(), strict=True))
    group = [a is not None and find_group(a) == find_group(b) for a, b in pairs]
    return {
        "names_class": round(100 * float(np.mean([a == b for a, b in pairs])), 1),
        "names_group": round(100 * float(np.mean(group)), 1),
        "distinct": len(set(texts)),
        "images": len(texts),
    }


def describe(
    model: Blip2ForConditionalGeneration,
    processor: Blip2Processor,
    images: UInt8[Tensor, "n 3 h w"],
) -> list[str]:
    """Describe pictures as the main pipeline does: beam search through the processor."""
    pictures = (Image.fromarray(x.permute(1, 2, 0).numpy()) for x in images)
    return list(
        generate_captions(
            pictures,
            model=model,
            processor=processor,
            max_new_tokens=40,
            num_beams=3,
            batch_size=50,
        )
    )
