"""The reference of the public index: every name of it that no other page of the reference shows."""

from __future__ import annotations

import re
from pathlib import Path

import adapterkit

REFERENCE = Path("docs/reference")


def index_page() -> str:
    """One directive of mkdocstrings for each name, in the order of the alphabet."""
    shown = {
        name
        for page in REFERENCE.glob("*.md")
        for name in re.findall(r"^::: adapterkit\.(\w+)$", page.read_text("utf-8"), re.MULTILINE)
    }
    return "\n".join(
        f"::: adapterkit.{name}\n" for name in sorted(adapterkit.__all__, key=str.lower) if name not in shown
    )
