"""Token-level CLIP embeddings: what Stable Diffusion's own text encoder would give."""

from pathlib import Path

import open_clip
import pytest
import torch
from mvc import embeddings
from mvc.models import clip

CLIP = str(Path(__file__).parents[1] / "resources/miniature/clip")
PROMPTS = ["This is an image of Bag, a bright bag", "a shirt", "", "a shirt"]


@pytest.fixture(scope="module")
def miniature():
    model, _, tokenizer = clip.load_clip(CLIP)
    return model, tokenizer


def native():
    """A model of the layout of OpenAI's ViT-L-14, in which the text tower is the model itself."""
    torch.manual_seed(0)
    text = dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=2)
    vision = dict(image_size=32, layers=1, width=16, head_width=8, patch_size=16)
    return open_clip.CLIP(embed_dim=8, vision_cfg=vision, text_cfg=text, quick_gelu=True).eval()


def pooled(model, tokens):
    """What open_clip itself makes of the states: the end token's, projected."""
    return model.encode_text(tokens)


@pytest.mark.parametrize("layout", ["CLIP", "CustomTextCLIP"])
def test_states_are_those_that_open_clip_pools(layout, miniature):
    model, tokenizer = miniature
    if layout == "CLIP":
        model, tokenizer = native(), open_clip.SimpleTokenizer()
    assert type(model).__name__ == layout
    ids, _ = clip.tokenize(tokenizer, PROMPTS)
    states = clip.compute_text_states(model, ids)
    assert states.shape == (4, 77, clip.find_text_width(model))
    end = states[torch.arange(4), ids.argmax(1)]
    projection = clip.find_text_tower(model).text_projection
    projected = projection(end) if callable(projection) else end @ projection
    assert torch.allclose(projected, model.encode_text(ids), atol=1e-5)


def test_native_layout_equals_transformers_text_model():
    """The same weights in transformers' CLIPTextModel, which Stable Diffusion 1.x reads."""
    from real_shapes import text_model_state
    from transformers import CLIPTextConfig, CLIPTextModel

    ours = native()
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=16,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
        bos_token_id=49406,
        eos_token_id=49407,
    )
    theirs = CLIPTextModel(config).eval()
    state = text_model_state(ours)
    named = theirs.state_dict()
    prefix = "text_model." if any(name.startswith("text_model.") for name in named) else ""
    missing, unexpected = theirs.load_state_dict(
        {prefix + name: value for name, value in state.items()}, strict=False
    )
    assert not unexpected and not [name for name in missing if "position_ids" not in name]
    ids, _ = clip.tokenize(open_clip.SimpleTokenizer(), PROMPTS)
    with torch.inference_mode():
        expected = theirs(input_ids=ids).last_hidden_state
    assert torch.allclose(clip.compute_text_states(ours, ids), expected, atol=1e-5)


def test_tokens_are_open_clips_padded_as_stable_diffusion_pads(miniature):
    for tokenizer in (miniature[1], open_clip.SimpleTokenizer()):
        theirs = tokenizer(PROMPTS)
        ids, lengths = clip.tokenize(tokenizer, PROMPTS)
        end = tokenizer.all_special_ids[1]
        for row, other, length in zip(ids, theirs, lengths, strict=True):
            assert torch.equal(row[:length], other[:length])
            assert (row[length - 1 :] == end).all()


def test_truncation_is_counted_and_keeps_the_end(miniature):
    model, tokenizer = miniature
    ids, lengths = clip.tokenize(tokenizer, ["shirt " * 100, "shirt"])
    assert lengths[0] > 77 >= lengths[1]
    assert ids[0, -1] == tokenizer.all_special_ids[1] and ids.shape == (2, 77)
    counted = embeddings.count_tokens(["shirt " * 100, "shirt"], tokenizer=tokenizer)
    assert counted.tolist() == lengths


def test_identical_prompts_are_embedded_once(miniature):
    model, tokenizer = miniature
    texts, index = embeddings.find_distinct(PROMPTS)
    assert texts == [PROMPTS[0], "a shirt", ""] and index.tolist() == [0, 1, 2, 1]
    batches = embeddings.embed(texts, model=model, tokenizer=tokenizer, batch_size=2)
    states = torch.cat([*batches])
    assert states.shape == (3, 77, 128) and states.dtype == torch.float16
    ids, _ = clip.tokenize(tokenizer, PROMPTS)
    expected = clip.compute_text_states(model, ids).half()
    assert torch.allclose(states[index].float(), expected.float(), atol=2e-3)


@pytest.mark.bitwise
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_changes_no_bit(miniature, batch_size):
    model, tokenizer = miniature
    texts = [f"{PROMPTS[0]} and {n} more" for n in range(11)]
    batches = (
        torch.cat([*embeddings.embed(texts, model=model, tokenizer=tokenizer, batch_size=size)])
        for size in (5, batch_size)
    )
    assert torch.equal(*batches)


def test_shared_prefix_has_equal_states(miniature):
    """A causal text tower: what the specification says about no-op edits."""
    model, tokenizer = miniature
    ids, _ = clip.tokenize(tokenizer, ["This is an image of Bag, a", "This is an image of Bag"])
    one, two = clip.compute_text_states(model, ids)
    same = (ids[0] == ids[1]).int().cumprod(0).sum()
    assert same >= 6
    assert torch.allclose(one[:same], two[:same], atol=1e-5)
    assert not torch.allclose(one[same:], two[same:], atol=1e-3)


def test_models_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ValueError, match="models.clip = nowhere: neither a folder nor"):
        clip.load_clip("nowhere")
    with pytest.raises(FileNotFoundError, match="has no open_clip_config.json"):
        clip.load_clip(str(tmp_path))


def test_embed_halves_its_batch_until_it_fits(miniature, monkeypatch):
    model, tokenizer = miniature
    (expected,) = embeddings.embed(PROMPTS, model=model, tokenizer=tokenizer, batch_size=4)
    monkeypatch.setattr("mvc.core.batching.has_constant_batches", lambda device: False)

    def check(module, inputs):
        if len(inputs[0]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    tower = clip.find_text_tower(model)
    with tower.token_embedding.register_forward_pre_hook(check):
        (made,) = embeddings.embed(PROMPTS, model=model, tokenizer=tokenizer, batch_size=4)
    assert torch.allclose(made, expected[: len(PROMPTS)], atol=2e-3)


def test_states_beyond_float16_are_refused(miniature):
    model, tokenizer = miniature
    tower = clip.find_text_tower(model)
    with tower.ln_final.register_forward_hook(lambda module, inputs, output: output * 1e6):
        with pytest.raises(ValueError, match="text embeddings in float16: .* not finite"):
            list(embeddings.embed(PROMPTS, model=model, tokenizer=tokenizer, batch_size=4))
