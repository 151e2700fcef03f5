"""What the words behind a door may be: its recipes, its groups with what is taken where nothing is said, its keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapterkit.config.groups import plain_file
from adapterkit.config.locate import config_root
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.schema import TrainConfig

SCHEMAS: dict[str, Any] = {"train": TrainConfig, "merge": MergeConfig}
# Each door has recipes in a folder of their own.
RECIPES = {"train": "recipe", "merge": "merge"}


def recipe_files(door: str) -> list[Path]:
    """The recipes of a door, in the order of the alphabet."""
    return sorted((config_root() / "recipes" / RECIPES[door]).glob("*.yaml"))


def groups_of(door: str) -> list[str]:
    """The groups of a door, in the order of its schema."""
    return [name for name in _fields(door) if (config_root() / "conf" / name).is_dir()]


def default_choices(door: str) -> dict[str, str]:
    """The file of each group that a door takes where nothing is said; a group without one is left out."""
    entries = plain_file(config_root() / "conf" / f"{door}.yaml")["defaults"]
    named = {key: name for entry in entries if isinstance(entry, dict) for key, name in entry.items()}
    return {group: name for group, name in named.items() if name is not None and group in _fields(door)}


def keys_of(door: str) -> dict[str, str]:
    """Every key of a door by its path, with its type as the schema writes it."""
    return dict(_leaves(SCHEMAS[door]))


def _fields(door: str) -> list[str]:
    return [field.name for field in dataclasses.fields(SCHEMAS[door])]


def _leaves(schema: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(schema):
        table: Any = field.default_factory
        if dataclasses.is_dataclass(table):
            yield from _leaves(table, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", str(field.type)
