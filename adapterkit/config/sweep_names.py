"""Distinct names for the jobs of a sweep: `adapter.r=4,8` publishes `NAME.r4` and `NAME.r8`.

Without this, each job would become the `latest` version of another.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException

from adapterkit.config.doors import RECIPES, groups_of

_SWEEP = {"-m", "--multirun"}
# A name already differs where these differ.
_IN_THE_NAME = ("name", "suffix", "persona", "recipe", "merge")


def with_sweep_names(arguments: Sequence[str]) -> list[str]:
    """Add the `suffix` override that tells a sweep's jobs apart, when the command line sweeps over more than names.

    Args:
        arguments: the command line, without the program.

    Returns:
        The same arguments, overrides last, since Hydra takes these on one side of all others alone; with `suffix=...`
        appended where it is needed and not given.
    """
    given = _overrides_last(arguments)
    if not _SWEEP & set(given):
        return given
    overrides = [parsed for word in given if "=" in word and not word.startswith("-") for parsed in _parse(word)]
    if any(override.key_or_group == "suffix" for override in overrides):
        return given
    parts = [_suffix(override) for override in overrides if _tells_apart(override)]
    return [*given, f"suffix='{''.join(parts)}'"] if parts else given


def _overrides_last(arguments: Sequence[str]) -> list[str]:
    """As Hydra's own parser tells them apart; what that does not take is left to Hydra to refuse."""
    with redirect_stderr(io.StringIO()), suppress(SystemExit):
        overrides = get_args_parser().parse_intermixed_args(list(arguments)).overrides
        return [*(word for word in arguments if word not in overrides), *overrides]
    return list(arguments)


def _parse(word: str) -> list[Override]:
    try:
        return list(OverridesParser.create().parse_overrides([word]))
    except OverrideParseException:
        return []  # Hydra reports it, with its own words, in a moment


def _tells_apart(override: Override) -> bool:
    return override.is_sweep_override() and override.key_or_group not in _IN_THE_NAME


def _suffix(override: Override) -> str:
    key = override.key_or_group
    # Choosing another file of a group, as opposed to setting a value.
    if any(key in groups_of(door) for door in RECIPES):
        return f".${{hydra:runtime.choices.{key}}}"
    return f".${{as_name:{key.rpartition('.')[2]}${{{key}}}}}"
