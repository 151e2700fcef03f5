"""What a page names in code - verbs, options, recipes, choices, keys, files - held against what there is.

Each function takes one line of code, as a page says it, and returns what in it does not exist.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator
from functools import cache

import typer

from adapterkit.cli import app
from adapterkit.config.groups import names_in
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.schema import TrainConfig
from tests.documents.blocks import ROOT

GROUPS = ("model", "quantization", "adapter", "data", "trainer", "tracking", "method")
# Their words are Hydra's: overrides and options of its own, which only composing them can check.
_HYDRA = ("train", "merge")

_VERB = re.compile(r"(?<![\w./\[-])adapterkit ([a-z][a-z-]*)(?![\w.=])([^|;&)]*)")
# Its words are its own, and one of them is a contestant of our name.
_BENCHMARK = re.compile(r"python benchmarks/[^|;&\n]*")
_RECIPE = re.compile(r"\+(recipe|merge|sweep)=([a-z0-9_,]+)(?![\w*(])")
_CHOICE = re.compile(rf"(?<![\w.+-])({'|'.join(GROUPS)})=([a-z0-9_,]+)(?![\w.(/:])")
_KEY = re.compile(r"(?<![\w./~+-])([a-z_]+(?:\.[a-z_]+)+)=(?!=)")
_LONE_KEY = re.compile(rf"(?:{'|'.join((*GROUPS, 'budget', 'held_out'))})(?:\.[a-z_]+)+")
_FOLDERS = ("docs", "tests", "benchmarks", "adapterkit", "conf", "recipes", "examples")
_FILE = re.compile(rf"(?:{'|'.join(_FOLDERS)})(?:/[\w.-]+)*/[\w-]+(?:\.(?:py|md|yaml))?")
_OPTION = re.compile(r"(?<!\S)--[a-z-]+")
# Of a config's own tables anything may be said.
_FREE = ("hydra.", "custom.")
# `tracking.json` is a file, and no key.
_ENDINGS = (".json", ".gguf", ".sig", ".py", ".safetensors")
_PLACEHOLDER = re.compile(r"(?<![a-z])[A-Z]+(?![a-z])")


def unknown_verbs(code: str) -> Iterator[str]:
    """Verbs of the command, and options of a verb, that are not there."""
    for found in _VERB.finditer(_BENCHMARK.sub("", code)):
        name, rest = found[1], found[2].strip()
        if name not in _verbs():
            yield f"adapterkit {name}"
            continue
        command = _verbs()[name]
        if inner := getattr(command, "commands", None):
            first = rest.partition(" ")[0]
            if first not in inner:
                yield f"adapterkit {name} {first}"
                continue
            name, command = f"{name} {first}", inner[first]
        if name not in _HYDRA:
            known = {option for each in command.params for option in each.opts} | {"--help"}
            yield from (f"adapterkit {name} {word}" for word in _OPTION.findall(rest) if word not in known)


@cache
def _verbs() -> dict[str, typing.Any]:
    return getattr(typer.main.get_command(app), "commands")  # noqa: B009  (typer's own class, which says nothing of it)


def unknown_recipes(code: str, page_text: str) -> Iterator[str]:
    """Recipes of trainings, merges and sweeps that are neither shipped nor a file that the page itself brings."""
    for kind, names in _RECIPE.findall(code):
        for name in names.split(","):
            if not (ROOT / "recipes" / kind / f"{name}.yaml").is_file() and f"/{kind}/{name}.yaml" not in page_text:
                yield f"+{kind}={name}"


def unknown_choices(code: str) -> Iterator[str]:
    """Choices of a group of `conf/` that are not there."""
    for group, names in _CHOICE.findall(code):
        known = {*names_in(group), "null"}
        yield from (f"{group}={name}" for name in names.split(",") if name and name not in known)


def unknown_keys(code: str) -> Iterator[str]:
    """Dotted keys that neither a training's config has nor a merge's."""
    lone = [code] if _LONE_KEY.fullmatch(code) and not code.endswith(_ENDINGS) else []
    for key in [*_KEY.findall(code), *lone]:
        if not key.startswith(_FREE) and not any(_has(each, key) for each in (TrainConfig, MergeConfig)):
            yield key


def unknown_files(code: str) -> Iterator[str]:
    """Files and folders of the repository that are not there."""
    if _FILE.fullmatch(code) and not _PLACEHOLDER.search(code) and not (ROOT / code).exists():
        yield code


def _has(schema: typing.Any, key: str) -> bool:
    first, _, rest = key.partition(".")
    if not dataclasses.is_dataclass(schema) or first not in _fields(schema):
        return False
    return not rest or any(_has(part, rest) for part in _parts(_fields(schema)[first]))


@cache
def _fields(schema: typing.Any) -> dict[str, typing.Any]:
    return typing.get_type_hints(schema)


def _parts(kind: typing.Any) -> tuple[typing.Any, ...]:
    return typing.get_args(kind) or (kind,)
