"""The shared tiny base is what tests take it for: it loads, chats and encodes any text."""

from __future__ import annotations

from pathlib import Path


def test_text_comes_back_as_it_was(tiny_base_dir: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_base_dir)
    text = "Ünïcode, tabs\tand\nlines: 你好 🙂"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer) <= 512


def test_a_chat_ends_each_turn_with_one_token(tiny_base_dir: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_base_dir)
    chat = [{"role": "user", "content": "Hello"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer(text)["input_ids"]
    assert ids.count(tokenizer.eos_token_id) == 1
    assert ids.count(tokenizer.bos_token_id) == 2


def test_the_model_runs_and_ties_its_head(tiny_base_dir: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_base_dir)
    assert [path.name for path in tiny_base_dir.glob("*.safetensors")] == ["model.safetensors"]
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model(input_ids=torch.arange(8)[None]).logits.shape == (1, 8, 512)
