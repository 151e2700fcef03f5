"""What cards, exports and messages are made of: blocks of code, and the lines of Python that load an adapter."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from adapterkit.lineage import LineageMember
from adapterkit.names import AdapterRef, peft_name

PEFT_IMPORTS = (
    "import torch",
    "from peft import PeftModel",
    "from transformers import AutoModelForCausalLM, AutoTokenizer",
)
BASE_LINES = (
    "tokenizer = AutoTokenizer.from_pretrained(BASE)",
    "base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)",
)


def fenced(language: str, lines: Sequence[str]) -> str:
    """A block of code in Markdown."""
    return "\n".join([f"```{language}", *lines, "```"])


def as_text(value: Any) -> str:
    """A plain value as a table shows it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def load_call(ref: AdapterRef, registry: str) -> str:
    """The expression that loads an adapter with its parents and its base, by adapterkit."""
    return f"adapterkit.load({_literal(str(ref))}, registry={_literal(registry)})"


def peft_lines(members: Sequence[LineageMember], registry: str, base_location: str) -> list[str]:
    """The lines of Python that load a lineage in plain PEFT, without adapterkit: `tokenizer`, `base`, `model`.

    Args:
        members: the lineage, root-first.
        registry: the registry's path, as the lines shall write it.
        base_location: what `from_pretrained` takes to load the base.
    """
    names = [peft_name(position, member.ref.name) for position, member in enumerate(members)]
    folders = [f'f"{{REGISTRY}}/{member.ref.name}/{member.ref.selector}"' for member in members]
    places = [f"BASE = {_place(base_location)}", f"REGISTRY = {_place(registry)}"]
    return [
        *(["import os", ""] if any("os.path" in place for place in places) else []),
        *PEFT_IMPORTS,
        "",
        *places,
        "",
        *BASE_LINES,
        *stacking_lines(folders, names),
        "model.eval()",
    ]


def held_lines(quantization: Mapping[str, Any]) -> list[str]:
    """The lines of Python that hold the base in few bits as the training did, in the place of `base = ...`.

    Args:
        quantization: of a base of kind `nf4` or `int8`, as its identity records it.
    """
    settings, kept = ["    load_in_8bit=True,"], []
    if quantization["kind"] == "nf4":
        settings = [
            "    load_in_4bit=True,",
            '    bnb_4bit_quant_type="nf4",',
            f"    bnb_4bit_use_double_quant={bool(quantization['double_quant'])},",
            f"    bnb_4bit_compute_dtype=torch.{quantization['compute_dtype']},",
        ]
        kept = [
            "for module in base.modules():",
            '    if hasattr(module, "support_avx512bf16_for_cpu"):',
            "        module.support_avx512bf16_for_cpu = False  # or bitsandbytes repacks on some processors",
        ]
    return [
        "from transformers import BitsAndBytesConfig",
        "",
        "held = BitsAndBytesConfig(",
        *settings,
        ")",
        "base = AutoModelForCausalLM.from_pretrained(",
        f"    BASE, dtype=torch.{quantization['dtype']}, quantization_config=held",
        ")",
        *kept,
    ]


def stacking_lines(folders: Sequence[str], names: Sequence[str]) -> list[str]:
    """The lines that put adapters on `base`, root-first, and activate all of them: `model`.

    Args:
        folders: of the adapters, as expressions of Python.
        names: under which PEFT shall know them.
    """
    lines = [f'model = PeftModel.from_pretrained(base, {folders[0]}, adapter_name="{names[0]}")']
    lines += [
        f'model.load_adapter({folder}, adapter_name="{name}")'
        for folder, name in zip(folders[1:], names[1:], strict=True)
    ]
    if len(names) > 1:
        listed = ", ".join(f'"{name}"' for name in names)
        lines.append(f"model.base_model.set_adapter([{listed}], inference_mode=True)")
    return lines


def _place(path: str) -> str:
    """An expression for a path; one in a home folder does not tell whose."""
    home = os.path.expanduser("~").rstrip(os.sep)
    if home and path.startswith(home + os.sep):
        return f"os.path.expanduser({_literal('~' + path[len(home) :])})"
    return _literal(path)


def _literal(text: str) -> str:
    """A Python literal; JSON's escapes are Python's too."""
    return json.dumps(text, ensure_ascii=False)
