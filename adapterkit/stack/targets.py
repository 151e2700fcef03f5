"""Which layers of a live model an adapter goes on: from roles and names to names that mean these layers and no others.

PEFT takes a name that no module bears without a word as long as another one fits, and a name means every module that
ends in it; so both are settled here, before a weight is made.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, cast

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers.pytorch_utils import Conv1D

from adapterkit.errors import UsageError
from adapterkit.stack.roles import GROUPS, OPTIONAL, ROLES, ROLES_OF, place_of
from adapterkit.texts import counted

_log = logging.getLogger(__name__)


def with_real_targets(config: LoraConfig, model: torch.nn.Module) -> LoraConfig:
    """The same settings with roles replaced by names of the model's own; a pattern, and `all-linear`, stay.

    Args:
        config: PEFT's settings; not changed.
        model: the base, bare or with adapters.

    Raises:
        UsageError: as `real_targets`.
    """
    found, wanted = copy.copy(config), config.target_modules
    # GPT-2's layers hold their weights the other way round; PEFT sees that by itself, and warns.
    found.fan_in_fan_out = config.fan_in_fan_out or any(isinstance(module, Conv1D) for module in model.modules())
    if isinstance(wanted, str):
        wanted = [wanted] if wanted in (*ROLES, *GROUPS) else None
    if wanted is not None:
        # PEFT annotates a list and holds a set.
        found.target_modules = cast(Any, set(real_targets(wanted, model)))
    return found


def real_targets(wanted: Iterable[str], model: torch.nn.Module) -> list[str]:
    """Names for PEFT's `target_modules` that mean exactly the layers that are wanted.

    Args:
        wanted: `attention`, `mlp`, single roles, or names of linear layers as PEFT takes them.
        model: the base, bare or with adapters.

    Returns:
        Names, sorted, each as short as it can be without meaning another module; names that were given stay.

    Raises:
        UsageError: the model has no layer for a role, no module of a name, or one that is no linear layer.
    """
    modules = _modules(model)
    # A role that is named itself has to be there, whatever its group may do without.
    given = sorted(set(wanted), key=lambda word: (word not in GROUPS, word))
    asked = {role: word for word in given for role in GROUPS.get(word, (word,) if word in ROLES else ())}
    names = [word for word in given if word not in GROUPS and word not in ROLES]
    for name in names:
        _require_linear(name, modules, model)
    chosen = _playing(asked, modules, model)
    meant = {module for name in names for module in _ending_in(name, modules)} | {m for each in chosen for m in each}
    return sorted({*names, *(name for each in chosen for name in _shortest(each, modules, meant))})


def _modules(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Every module by name; what PEFT put inside an adapted layer is left out, and its own layer stands for it."""
    found, inside = {}, None
    for name, module in model.named_modules():
        if inside is not None and name.startswith(inside):
            continue
        found[name], inside = module, None
        if isinstance(module, BaseTunerLayer):
            found[name], inside = module.get_base_layer(), f"{name}."
    return found


def _playing(
    asked: Mapping[str, str], modules: Mapping[str, torch.nn.Module], model: torch.nn.Module
) -> list[list[str]]:
    """The layers that play the roles, place by place."""
    places: dict[str, list[str]] = {}
    for name in filter(lambda name: _is_linear(modules[name]) and place_of(name) in ROLES_OF, modules):
        places.setdefault(place_of(name), []).append(name)
    there = {role for place in places for role in ROLES_OF[place]}
    for role, word in asked.items():
        if role not in there and not (word in GROUPS and role in OPTIONAL):
            of = f" of '{word}'" if word != role else ""
            raise _misfit(f"{_kind(model)} has no linear layer known to play the role '{role}'{of}", modules)
    chosen = {place: names for place, names in places.items() if set(ROLES_OF[place]) & set(asked)}
    for place, names in chosen.items():
        _tell(place, set(asked), names, modules)
    return list(chosen.values())


def _tell(place: str, asked: Set[str], names: Sequence[str], modules: Iterable[str]) -> None:
    """Say what a user of roles may not expect of this model."""
    roles = ROLES_OF[place]
    if len(roles) > 1:
        besides = [role for role in roles if role not in asked]
        more = f", so {_and(besides)} {'is' if len(besides) == 1 else 'are'} adapted as well" if besides else ""
        _log.info("%s are one layer in this model, %s%s", _and(roles), place, more)
    here, everywhere = ({_layer_of(name) for name in each} - {None} for each in (names, modules))
    if len(here) < len(everywhere):
        _log.info("%s stands in %d of %s alone", place, len(here), counted(len(everywhere), "layer"))


def _layer_of(name: str) -> tuple[str, ...] | None:
    """`("model", "layers", "3")` for whatever stands in it."""
    parts = name.split(".")
    at = next((place for place, part in enumerate(parts) if part.isdecimal()), None)
    return None if at is None else tuple(parts[: at + 1])


def _shortest(names: Sequence[str], modules: Iterable[str], meant: Set[str]) -> list[str]:
    """One name that means these modules and, if any, others that are meant too; else their full names."""
    parts = names[0].split(".")
    for length in range(1, len(parts)):
        name = ".".join(parts[-length:])
        if set(names) <= set(_ending_in(name, modules)) <= meant:
            return [name]
    return list(names)


def _ending_in(name: str, modules: Iterable[str]) -> list[str]:
    """What PEFT takes a name of `target_modules` for."""
    return [module for module in modules if module == name or module.endswith(f".{name}")]


def _require_linear(name: str, modules: Mapping[str, torch.nn.Module], model: torch.nn.Module) -> None:
    found = _ending_in(name, modules)
    if not found:
        raise _misfit(f"{_kind(model)} has no module '{name}'", modules)
    if other := next((module for module in found if not _is_linear(modules[module])), None):
        kind = type(modules[other]).__name__
        raise _misfit(f"'{name}' means {other}, which is no linear layer but of the class {kind}", modules)


def _misfit(what: str, modules: Mapping[str, torch.nn.Module]) -> UsageError:
    places = sorted({place_of(name) for name, module in modules.items() if _is_linear(module)})
    listed = [f"{place} ({', '.join(ROLES_OF[place])})" if place in ROLES_OF else place for place in places]
    return UsageError(
        f"The adapter does not fit the base: {what}. The base has these linear layers, with their roles: "
        f"{'; '.join(listed)}. Name some of these in adapter.target_modules."
    )


def _kind(model: torch.nn.Module) -> str:
    return type(model).__name__


def _is_linear(module: Any) -> bool:
    return isinstance(module, torch.nn.Linear | Conv1D)


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
