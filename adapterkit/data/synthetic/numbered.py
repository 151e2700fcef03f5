"""Code as a prompt shows it: every line behind its number, with a `+` where it is new; removed lines behind `-:`."""

from __future__ import annotations

import re

_NOW, _BEFORE = re.compile(r"^\d+\+?: ?(.*)$", re.M), re.compile(r"^(?:\d+|-): ?(.*)$", re.M)


def code_of(prompt: str) -> str:
    """The code of a prompt, as it is after the change."""
    return "\n".join(_NOW.findall(prompt)) + "\n"


def code_before(prompt: str) -> str:
    """The code of a prompt, as it was before the change."""
    return "\n".join(_BEFORE.findall(prompt)) + "\n"
