"""Adapter configs that must be refused: each row is what it tries, and the bytes of the file."""

from __future__ import annotations

import json
from typing import Any

from artifacts.samples import lora_config


def with_keys(**changes: Any) -> bytes:
    """A sound config but for some keys."""
    return json.dumps(lora_config(**changes)).encode()


def with_text(key: str, text: str) -> bytes:
    """A sound config in which one value is written as given, JSON or not."""
    return json.dumps(lora_config(**{key: "@"})).replace('"@"', text).encode()


def without(key: str) -> bytes:
    return json.dumps({name: value for name, value in lora_config().items() if name != key}).encode()


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


EVIL_MODULE = "adapterkit_canary"
SHELL = "__import__('pathlib').Path('{canary}').touch()"

BAD_CONFIGS: dict[str, bytes] = {
    # Not JSON at all, or JSON that two readers could take for two different things.
    "empty": b"",
    "blank": b" \n",
    "half": json.dumps(lora_config()).encode()[:-1],
    "trailing comma": b'{"r": 4,}',
    "trailing bytes": json.dumps(lora_config()).encode() + b"{}",
    "comment": b"// c\n" + json.dumps(lora_config()).encode(),
    "single quotes": str(lora_config()).encode(),
    "a list": b"[]",
    "a text": b'"LORA"',
    "null": b"null",
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(lora_config()).encode(),
    "utf-16": json.dumps(lora_config()).encode("utf-16"),
    "latin-1": with_keys(peft_version="@").replace(b"@", b"\xff"),
    "nul bytes": b"\x00" * 64,
    "a pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    "a key twice": json.dumps(lora_config()).replace("{", '{"r": 8, ', 1).encode(),
    "a key twice, once escaped": json.dumps(lora_config()).replace("{", '{"\\u0072": 8, ', 1).encode(),
    "a raw newline in a text": with_text("peft_version", '"a\nb"'),
    "half of a surrogate pair": with_text("peft_version", r'"\ud800"'),
    "half of a surrogate pair as a key": with_text("rank_pattern", r'{"\udfff": 4}'),
    "nested 500 deep": with_text("auto_mapping", nested(500)),
    "nested 900 deep": with_text("auto_mapping", nested(900)),
    "nested 100000 deep": with_text("auto_mapping", nested(100_000)),
    "open lists without an end": b"[" * 1_000_000,
    "larger than the limit": b" " * 4_000_001,
    # Numbers.
    "NaN alpha": with_text("lora_alpha", "NaN"),
    "infinite alpha": with_text("lora_alpha", "Infinity"),
    "alpha above every float": with_text("lora_alpha", "1e999"),
    "alpha of 5000 digits": with_text("lora_alpha", "9" * 5000),
    "alpha of 4000 digits": with_text("lora_alpha", "9" * 4000),
    "negative alpha": with_keys(lora_alpha=-8),
    "alpha zero": with_keys(lora_alpha=0),
    "alpha true": with_keys(lora_alpha=True),
    "alpha as a text": with_keys(lora_alpha="16"),
    "rank zero": with_keys(r=0),
    "rank below zero": with_keys(r=-1),
    "rank of 8 GB": with_keys(r=1_000_000),
    "rank just above the cap": with_keys(r=1025),
    "rank of 4000 digits": with_text("r", "9" * 4000),
    "rank with a fraction": with_keys(r=4.0),
    "rank true": with_keys(r=True),
    "rank null": with_keys(r=None),
    "rank as a text": with_keys(r="4"),
    "rank as a list": with_keys(r=[4]),
    "dropout one": with_keys(lora_dropout=1.0),
    "dropout below zero": with_keys(lora_dropout=-0.5),
    "dropout NaN": with_text("lora_dropout", "NaN"),
    # Patterns: regular expressions to PEFT.
    "a regular expression that never ends": with_keys(rank_pattern={"(a+)+$": 4}),
    "a pattern of dots": with_keys(rank_pattern={".*": 4}),
    "a pattern with a look-ahead": with_keys(alpha_pattern={"(?=q)": 4}),
    "a pattern that is empty": with_keys(rank_pattern={"": 4}),
    "a pattern with a newline": with_keys(rank_pattern={"q_proj\n": 4}),
    "a pattern to a huge rank": with_keys(rank_pattern={"q_proj": 10**9}),
    "a pattern to a text": with_keys(alpha_pattern={"q_proj": "16"}),
    "a pattern as a list": with_keys(rank_pattern=[["q_proj", 4]]),
    "5000 patterns": with_keys(rank_pattern={f"layer{n}": 4 for n in range(5000)}),
    "targets as a pattern": with_keys(target_modules=".*_proj"),
    "targets with a pattern": with_keys(target_modules=["(.*)"]),
    "targets with confusable letters": with_keys(target_modules=["q_\u0440r\u043ej"]),
    "targets with a path": with_keys(target_modules=["../q_proj"]),
    "no targets": with_keys(target_modules=[]),
    "targets as numbers": with_keys(target_modules=[1, 2]),
    "5000 targets": with_keys(target_modules=[f"m{n}" for n in range(5000)]),
    # Features that run code, allocate, or change the base.
    "an import path for Megatron": with_keys(megatron_core=EVIL_MODULE),
    "an import path in auto_mapping": with_keys(
        auto_mapping={"base_model_class": "Evil", "parent_library": EVIL_MODULE}
    ),
    "Megatron settings": with_keys(megatron_config={"x": 1}),
    "a replicated layer": with_keys(layer_replication=[[0, 1]] * 400),
    "start values that rewrite the base": with_keys(init_lora_weights="pissa"),
    "start values from a file": with_keys(init_lora_weights="pissa_niter_16"),
    "start values by LoftQ": with_keys(init_lora_weights="loftq", loftq_config={"loftq_bits": 4}),
    "trained biases": with_keys(bias="all"),
    "saved modules": with_keys(modules_to_save=["embed_tokens"]),
    "token indices": with_keys(trainable_token_indices=list(range(100_000))),
    "raw parameters": with_keys(target_parameters=["mlp.experts"]),
    "an invocation adapter": with_keys(alora_invocation_tokens=[1]),
    "quantized groups": with_keys(use_qalora=True),
    "excluded modules": with_keys(exclude_modules=".*"),
    # Another kind of adapter, or keys nobody knows.
    "another method": with_keys(peft_type="PREFIX_TUNING"),
    "another method by case": with_keys(peft_type="lora"),
    "another task": with_keys(task_type="SEQ_CLS"),
    "a Hydra target": with_keys(_target_="os.system"),
    "a partial Hydra target": with_keys(_partial_=True),
    "a reduce hook": with_keys(__reduce__=["os.system", "id"]),
    "a shell command": with_keys(on_load=SHELL),
    "remote code": with_keys(trust_remote_code=True),
    "a key with a space": with_keys(**{"r ": 4}),
    "a key with confusable letters": with_keys(alpha=8).replace(b'"alpha"', '"lora_\u0430lpha"'.encode()),
    "a key of a megabyte": with_keys(**{"x" * 1_000_000: 1}),
    "no rank": without("r"),
    "no alpha": without("lora_alpha"),
    "no targets key": without("target_modules"),
    "no method": without("peft_type"),
    "flags as texts": with_keys(use_dora="false"),
    "flags as numbers": with_keys(use_rslora=1),
    "a base that is no text": with_keys(base_model_name_or_path=["tiny/base"]),
}
