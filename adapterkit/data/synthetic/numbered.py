"""Code as a reviewer sees it, every line behind its number, and back."""

from __future__ import annotations

import re

_LINE = re.compile(r"^\d+: ?(.*)$", re.M)


def code_of(prompt: str) -> str:
    """The code of a prompt that numbers its lines from 1."""
    return "\n".join(_LINE.findall(prompt)) + "\n"
