"""The reference of the configs, read off the schema and off the files in `conf/` and `recipes/`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from omegaconf import MISSING

from adapterkit.config.groups import names_in, plain_file, purpose_of
from adapterkit.config.locate import config_root
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.schema import TrainConfig
from sitegen.tables import table

GROUPS = ("model", "quantization", "adapter", "data", "trainer", "tracking", "method")


def settings_page() -> str:
    """Every key of a training and of a merge, every choice of a group, every recipe, as Markdown."""
    root = config_root()
    lines = [*_keys("Keys of a training", TrainConfig, plain_file(root / "conf" / "train.yaml"))]
    lines += _keys("Keys of a merge", MergeConfig, plain_file(root / "conf" / "merge.yaml"), known=("data",))
    lines += ["## Choices\n", "What stands in a file of `conf/GROUP/`; `GROUP=NAME` takes it.\n"]
    for group in GROUPS:
        lines += _choices(f"`{group}=`", [root / "conf" / group / f"{name}.yaml" for name in names_in(group)])
    lines += ["## Recipes\n", "What a recipe changes; everything else is as above.\n"]
    for folder, word in (("recipe", "+recipe="), ("merge", "+merge="), ("sweep", "+sweep=")):
        lines += _choices(f"`{word}`", sorted((root / "recipes" / folder).glob("*.yaml")))
    return "\n".join(lines)


def _keys(title: str, schema: type[Any], said: dict[str, Any], known: tuple[str, ...] = ()) -> Iterator[str]:
    """One section for the keys at the top, and one for each group of keys; `known` ones were described before."""
    yield f"## {title}\n"
    yield f"{inspect.getdoc(schema)}\n"
    hints = get_type_hints(schema)
    inner = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    plain = [field for field in dataclasses.fields(schema) if field.name not in {*inner, *known}]
    yield _table("", plain, hints, said)
    for name, kind in inner.items():
        yield f"### `{name}.*` {{ #{schema.__name__.lower()}-{name} }}\n"
        yield f"{inspect.getdoc(kind)}\n"
        yield _table(f"{name}.", list(dataclasses.fields(kind)), get_type_hints(kind), said.get(name) or {})


def _table(prefix: str, fields: list[Any], hints: dict[str, Any], said: dict[str, Any]) -> str:
    rows = [
        (f"`{prefix}{field.name}`", f"`{_kind(hints[field.name])}`", _default(field, said.get(field.name, MISSING)))
        for field in fields
    ]
    return table(("key", "type", "default"), rows)


def _kind(hint: Any) -> str:
    if dataclasses.is_dataclass(hint):
        return ", ".join(field.name for field in dataclasses.fields(hint))
    # As YAML and the command line say it.
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "").replace("None", "null")


def _default(field: dataclasses.Field[Any], said: Any) -> str:
    """What the file says, else the schema; a key without either is the business of a group's file."""
    value = said
    if value == MISSING:
        value = field.default
        if field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
    if value == MISSING or dataclasses.is_dataclass(value):
        return "of the chosen file"
    shown = {None: "null", True: "true", False: "false", "": '""'}
    return f"`{shown[value] if isinstance(value, bool | str | None) and value in shown else value}`"


def _choices(title: str, files: list[Path]) -> Iterator[str]:
    yield f"### {title}\n"
    for file in files:
        text = "".join(f"    {line}\n" for line in file.read_text("utf-8").splitlines() if not line.startswith("#"))
        # Left open in the page's source: a reader who searches the site finds what stands inside.
        yield f'??? note "{file.stem}"\n'
        yield f"    {purpose_of(file)}\n"
        yield f"    ```yaml\n{text}    ```\n"
