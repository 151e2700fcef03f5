"""Distinct names for the jobs of a sweep: `adapter.r=4,8` publishes `NAME.r4` and `NAME.r8`.

Without this, each job would become the `latest` version of another.
"""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException

_SWEEP = {"-m", "--multirun"}
# A name already differs where these differ.
_IN_THE_NAME = ("name", "suffix", "persona", "recipe", "merge")
# Choosing another file of a group, as opposed to setting a value.
_GROUPS = ("model", "quantization", "adapter", "data", "trainer", "tracking", "method")


def with_sweep_names(arguments: Sequence[str]) -> list[str]:
    """Add the `suffix` override that tells a sweep's jobs apart, when the command line sweeps over more than names.

    Args:
        arguments: the command line, without the program.

    Returns:
        The same arguments, `--multirun` first, since Hydra takes overrides on one side of them alone; with `suffix=...`
        appended where it is needed and not given.
    """
    if not _SWEEP & set(arguments):
        return list(arguments)
    given = sorted(arguments, key=lambda word: word not in _SWEEP)
    overrides = [parsed for word in given if "=" in word and not word.startswith("-") for parsed in _parse(word)]
    if any(override.key_or_group == "suffix" for override in overrides):
        return given
    parts = [_suffix(override) for override in overrides if _tells_apart(override)]
    return [*given, f"suffix='{''.join(parts)}'"] if parts else given


def _parse(word: str) -> list[Override]:
    try:
        return list(OverridesParser.create().parse_overrides([word]))
    except OverrideParseException:
        return []  # Hydra reports it, with its own words, in a moment


def _tells_apart(override: Override) -> bool:
    return override.is_sweep_override() and override.key_or_group not in _IN_THE_NAME


def _suffix(override: Override) -> str:
    key = override.key_or_group
    if key in _GROUPS:
        return f".${{hydra:runtime.choices.{key}}}"
    return f".${{as_name:{key.rpartition('.')[2]}${{{key}}}}}"
