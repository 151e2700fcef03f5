"""The reference of the command line, read off the Typer app itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from adapterkit.cli.app import app
from sitegen.tables import table


def commands_page() -> str:
    """Every verb with its usage, arguments and options, as Markdown."""
    root = typer.main.get_command(app)
    return "\n".join(_verbs(root, root.context_class(root, info_name="adapterkit")))


def _verbs(group: Any, context: Any) -> Iterator[str]:
    for name, verb in group.commands.items():
        inner = verb.context_class(verb, info_name=name, parent=context)
        if hasattr(verb, "commands"):
            yield from _verbs(verb, inner)
        else:
            yield from _verb(verb, inner)


def _verb(verb: Any, context: Any) -> Iterator[str]:
    yield f"## `{context.command_path}`\n"
    yield inspect.cleandoc(verb.help or "") + "\n"
    yield f"```text\n{verb.get_usage(context)}\n```\n"
    rows = [(f"`{names}`", says) for names, says in _records(verb, context)]
    if rows:
        yield table(("argument or option", ""), rows)


def _records(verb: Any, context: Any) -> Iterator[tuple[str, str]]:
    for parameter in verb.get_params(context):
        record = parameter.get_help_record(context)
        if record and parameter.name != "help":
            yield record
