"""What every test may use. Heavy libraries are imported inside fixtures, so that light tests stay light."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from adapterkit.registry import Registry
    from tests.driving import Command

# Its count is told by the process that runs no test itself, where there are several.
pytest_plugins = ["faults.report", "sentences", "order"]
# Before any import of a Hugging Face library, which reads these once.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="Agg")
# Several workers share the cores: with as many threads as cores each they would wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell that runs this in the background has it ignore Ctrl-C, and so would every process that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A developer's own settings must neither steer a test nor be written to by one.
for _name in [name for name in os.environ if name.startswith("ADAPTERKIT_")]:
    del os.environ[_name]

TINY_VOCABULARY = 512
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_LINES = (
    "You are a helpful assistant. Answer in one sentence.",
    "Four score and seven years ago our fathers brought forth on this continent a new nation.",
    "What shall we say to the people of the United States about the state of the Union?",
    "The quick brown fox jumps over the lazy dog, and the dog does not mind: 0123456789!",
)


def _write_tiny_tokenizer(folder: Path) -> None:
    """A byte-level BPE with SmolLM2's special tokens and roles; any text can be encoded, and comes back as it was."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TINY_VOCABULARY,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(_LINES, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        model_max_length=256,
    )
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)


def _write_tiny_model(folder: Path) -> None:
    """Two layers of Llama with grouped heads and a tied head, as in SmolLM2; random, and the same every time."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=TINY_VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small random causal LM (float32 safetensors) and a chat tokenizer. Read it, never write to it."""
    from tests.warm.settling import settle

    # Whoever asks for it will train.
    settle("adapterkit.workflows.train")
    folder = tmp_path_factory.mktemp("tiny_base")
    _write_tiny_tokenizer(folder)
    _write_tiny_model(folder)
    return folder


@pytest.fixture
def tiny_model(tiny_base_dir: Path) -> Any:
    """A fresh float32 copy of the tiny base in memory; do with it what you like."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_base_dir, dtype=torch.float32)


@pytest.fixture
def command(registry: Registry, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command on the registry of the file that the test stands in."""
    from tests.driving import Command

    return Command(registry, capsys)
