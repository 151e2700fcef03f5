"""`--help` of a Hydra door: recipes, groups with their choices, keys, and a few commands to begin with."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from adapterkit.config.doors import RECIPES, default_choices, groups_of, keys_of, recipe_files
from adapterkit.config.groups import names_in, plain_file, purpose_of

_WIDEST = 100
_PART = re.compile(r"\$\{[^}]*?(\w+)\}")
_TOLD = {
    "train": "Train an adapter and publish it.",
    "merge": "Merge published adapters of one base into one, and publish it.",
}
_EXAMPLES = {
    "train": (
        "adapterkit train +recipe=unified",
        "adapterkit train +recipe=persona_on_unified persona=lincoln adapter=low_rank trainer.max_steps=50",
        "adapterkit train -m +recipe=persona_on_unified persona=lincoln,reagan     one after another: a sweep",
    ),
    "merge": (
        "adapterkit merge method=ties 'adapters=[coder,security]' 'weights=[0.7,0.3]' name=both",
        "adapterkit merge +merge=two_voices",
        "adapterkit merge -m method=ties,slerp 'adapters=[coder,security]'     one after another, and compared",
    ),
}
_FLAGS = (
    ("-m, --multirun", "Run one job for each combination of the values that stand behind commas."),
    ("--config-dir DIR", "Your own configs: DIR/recipe/NAME.yaml is +recipe=NAME."),
    ("--cfg job", "Print the whole config that the words come to, and run nothing."),
    ("--hydra-help", "What Hydra itself takes."),
)


def door_help(door: str) -> str:
    """The page, as a template of `string.Template`: every `$` in it is doubled."""
    recipe = RECIPES[door]
    parts = [
        _TOLD[door],
        f"usage: adapterkit {door} [+{recipe}=NAME] [GROUP=NAME]... [KEY=VALUE]... [FLAG]...",
        _section(f"Recipes, +{recipe}=NAME:", _recipes(door)),
        _section("Groups, GROUP=NAME; the one with a star is taken where nothing is said:", _groups(door)),
        _section("Keys, KEY=VALUE:", _keys(door)),
        _section("Flags:", iter(_FLAGS)),
        "\n".join(["Examples:", *(f"  {line}" for line in _EXAMPLES[door])]),
    ]
    return "\n\n".join(parts).replace("$", "$$")


def _section(heading: str, rows: Iterator[tuple[str, str]]) -> str:
    listed = list(rows)
    column = max(len(name) for name, _ in listed) + 4
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    lines = [
        textwrap.fill(
            told, width, initial_indent=f"  {name}".ljust(column), subsequent_indent=" " * column,
            break_on_hyphens=False,
        )
        for name, told in listed
    ]  # fmt: skip
    return "\n".join([heading, *lines])


def _recipes(door: str) -> Iterator[tuple[str, str]]:
    for file in recipe_files(door):
        said: dict[str, Any] = plain_file(file)
        told = str(said.get("description") or purpose_of(file))
        yield file.stem, _PART.sub(lambda part: part[1].upper(), told)


def _groups(door: str) -> Iterator[tuple[str, str]]:
    default = default_choices(door)
    for group in groups_of(door):
        yield f"{group}=", ", ".join(f"{name}*" if name == default.get(group) else name for name in names_in(group))


def _keys(door: str) -> Iterator[tuple[str, str]]:
    """One row for the keys of no table, and one for each table."""
    keys = [key for key in keys_of(door) if key not in groups_of(door)]
    tables = groupby(sorted(keys, key=_table), key=_table)
    for table, own in tables:
        yield f"{table}KEY", ", ".join(key.removeprefix(table) for key in own)


def _table(key: str) -> str:
    table, dot, _ = key.rpartition(".")
    return table + dot
