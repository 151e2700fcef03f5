"""adapter_config.json, read strictly: plain LoRA, rsLoRA and DoRA on linear layers, and nothing else that PEFT can do.

PEFT itself accepts layer replication (a tiny file, 400 layers), a rank that allocates gigabytes, import paths, and
start values that rewrite the base as the adapter loads. An artifact needs none of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from adapterkit.artifacts.strict_json import parse_json
from adapterkit.errors import ArtifactError
from adapterkit.manifest import ADAPTER_CONFIG_FILE
from adapterkit.problem import Problem
from adapterkit.texts import excerpt

MAX_RANK = 1024
MAX_ALPHA = 1_000_000.0
MAX_CONFIG_BYTES = 4_000_000
_MAX_ENTRIES = 4096
_MODULE = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
_PATTERN = re.compile(r"\^?[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")

Rule = tuple[Callable[[Any], bool], str]


@dataclass(frozen=True)
class LoraSettings:
    """What adapter_config.json says about the shape, and the whole of it as plain values.

    Attributes:
        rank: `r`, for every module that no `rank_pattern` names.
        alpha: `lora_alpha`, likewise.
        targets: `target_modules`, sorted.
        variant: lora, rslora, dora or rsdora.
        rank_pattern: rank by module name; PEFT reads a key as a pattern that a module's name ends in.
        alpha_pattern: alpha by module name.
        plain: every key of the file.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    variant: str
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    plain: Mapping[str, Any]

    @property
    def base_id(self) -> str | None:
        """The base that the file names."""
        return self.plain.get("base_model_name_or_path")

    def rank_of(self, module: str) -> int:
        """The rank of one module, by its full name."""
        return next((self.rank_pattern[key] for key in matching(self.rank_pattern, module)), self.rank)

    def alpha_of(self, module: str) -> float:
        """The alpha of one module, by its full name."""
        return next((self.alpha_pattern[key] for key in matching(self.alpha_pattern, module)), self.alpha)


def parse_adapter_config(data: bytes) -> LoraSettings:
    """Check every key of adapter_config.json.

    Raises:
        ArtifactError: the bytes are not strict JSON, a key is unknown or missing, or a value is not one that plain
            LoRA, rsLoRA or DoRA writes; every such key is listed.
    """
    plain = parse_json(data, ADAPTER_CONFIG_FILE)
    if problems := [Problem(ADAPTER_CONFIG_FILE, what) for what in _problems(plain)]:
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ArtifactError(f"{problems[0]}{more}", problems)
    rs, dora = plain.get("use_rslora", False), plain.get("use_dora", False)
    return LoraSettings(
        rank=plain["r"],
        alpha=float(plain["lora_alpha"]),
        targets=tuple(sorted(set(plain["target_modules"]))),
        variant=f"{'rs' if rs else ''}{'dora' if dora else 'lora'}",
        rank_pattern=plain.get("rank_pattern") or {},
        alpha_pattern={key: float(value) for key, value in (plain.get("alpha_pattern") or {}).items()},
        plain=plain,
    )


def matching(pattern: Mapping[str, Any], module: str) -> list[str]:
    """The keys of a rank or alpha pattern that PEFT would match with a module's full name, in PEFT's order."""
    return [key for key in pattern if _compiled(key).match(module)]


@lru_cache(maxsize=4096)
def _compiled(key: str) -> re.Pattern[str]:
    return re.compile(rf"(.*\.)?({key})$")


def _problems(plain: Any) -> Iterator[str]:
    if not isinstance(plain, dict):
        yield "is not a JSON object"
        return
    for key in sorted(REQUIRED - set(plain)):
        yield f"the key '{key}' is missing"
    for key in sorted(plain):
        if key not in RULES:
            yield f"the key {excerpt(key)} is unknown; plain LoRA, rsLoRA and DoRA do not need it"
        elif not RULES[key][0](plain[key]):
            yield f"'{key}' is {excerpt(plain[key])}, and must be {RULES[key][1]}"


def _is_rank(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_RANK


def _is_alpha(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= MAX_ALPHA


def _is_pattern(value: Any, holds: Callable[[Any], bool]) -> bool:
    """A key is a regular expression to PEFT; only plain names pass, since others can take for ever to match."""
    if not isinstance(value, dict) or len(value) > _MAX_ENTRIES:
        return value is None
    return all(_PATTERN.fullmatch(key) and holds(entry) for key, entry in value.items())


def _is_targets(value: Any) -> bool:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_ENTRIES:
        return False
    return all(isinstance(name, str) and _MODULE.fullmatch(name) for name in value)


def _is_dropout(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _off(value: Any) -> bool:
    """Absent, empty or false: how PEFT writes a feature that is not used."""
    return value is None or value is False or value == {} or value == []


def _one_of(*allowed: Any) -> Callable[[Any], bool]:
    return lambda value: any(value is choice or (isinstance(value, str) and value == choice) for choice in allowed)


_RANK, _ALPHA = f"a whole number in 1..{MAX_RANK}", f"a finite number above 0, at most {MAX_ALPHA:.0f}"
_OFF: Rule = (_off, "unset: an artifact does not carry this feature")
_FLAG: Rule = (_is_flag, "true or false")
_TEXT: Rule = (_is_text, "a text or null")

REQUIRED = frozenset({"peft_type", "r", "lora_alpha", "target_modules"})
RULES: Mapping[str, Rule] = {
    "peft_type": (_one_of("LORA"), "LORA"),
    "task_type": (_one_of("CAUSAL_LM", None), "CAUSAL_LM or null"),
    "peft_version": _TEXT,
    "base_model_name_or_path": _TEXT,
    "revision": _TEXT,
    "inference_mode": _FLAG,
    "r": (_is_rank, _RANK),
    "lora_alpha": (_is_alpha, _ALPHA),
    "rank_pattern": (lambda value: _is_pattern(value, _is_rank), f"a table from module names to {_RANK}"),
    "alpha_pattern": (lambda value: _is_pattern(value, _is_alpha), f"a table from module names to {_ALPHA}"),
    "target_modules": (_is_targets, "a list of module names, none of them a pattern"),
    "lora_dropout": (_is_dropout, "a number from 0 to below 1"),
    "fan_in_fan_out": _FLAG,
    "use_rslora": _FLAG,
    "use_dora": _FLAG,
    "bias": (_one_of("none"), "none: a trained bias would change the base"),
    "init_lora_weights": (
        _one_of(True, False, "gaussian", "orthogonal"),
        "true, false, gaussian or orthogonal: other starts rewrite the base as the adapter loads",
    ),
    # PEFT writes this default whether Megatron is used or not; it is an import path, so no other text may stand here.
    "megatron_core": (_one_of("megatron.core", None), "megatron.core or null"),
    # PEFT writes this default too; it means nothing while use_qalora is off.
    "qalora_group_size": (lambda value: type(value) is int, "a whole number"),
    **dict.fromkeys(
        (
            "alora_invocation_tokens",
            "arrow_config",
            "auto_mapping",
            "corda_config",
            "ensure_weight_tying",
            "eva_config",
            "exclude_modules",
            "kasa_config",
            "layer_replication",
            "layers_pattern",
            "layers_to_transform",
            "loftq_config",
            "lora_bias",
            "lora_ga_config",
            "megatron_config",
            "modules_to_save",
            "monteclora_config",
            "target_parameters",
            "trainable_token_indices",
            "use_bdlora",
            "use_qalora",
            "velora_config",
        ),
        _OFF,
    ),
}
