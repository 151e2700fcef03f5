"""Names, versions and refs of adapters: their grammar, and nothing about where they live."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from adapterkit.errors import UsageError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,126}[a-z0-9])?")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version of an artifact; ordered as numbers, so 1.10.0 > 1.9.0."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `MAJOR.MINOR.PATCH`.

        Raises:
            UsageError: the text is not three plain numbers.
        """
        match = _VERSION.fullmatch(text)
        if match is None:
            raise UsageError(f"'{text}' is not a version: write MAJOR.MINOR.PATCH, such as 1.2.0.")
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class AdapterRef:
    """Which adapter is meant: `name` (its latest version), `name@1.2.0` or `name@alias`.

    `AdapterRef.parse(str(ref)) == ref` for every ref.
    """

    name: str
    selector: Version | str | None = None

    @classmethod
    def parse(cls, text: str) -> AdapterRef:
        """Read a ref.

        Raises:
            UsageError: the name, version or alias breaks the grammar.
        """
        name, at, selector = text.partition("@")
        check_name(name)
        if not at:
            return cls(name)
        if selector[:1].isdigit():
            return cls(name, Version.parse(selector))
        return cls(name, check_alias(selector))

    def __str__(self) -> str:
        return self.name if self.selector is None else f"{self.name}@{self.selector}"


def check_name(name: str) -> str:
    """Return the name when an adapter may bear it.

    Raises:
        UsageError: the name holds anything but small letters, digits, `_`, `-` and inner dots, holds `..`, or is
            longer than 128 characters.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise UsageError(
            f"'{name}' cannot name an adapter: use small letters, digits, '_', '-' and inner dots, at most 128 "
            f"characters. For example: name={as_name(name) or 'my_adapter'}"
        )
    return name


def check_alias(text: str) -> str:
    """Return the text when it can be an alias.

    Raises:
        UsageError: it does not begin with a small letter, holds anything but small letters, digits, `_` and `-`, or is
            longer than 64 characters.
    """
    if not _ALIAS.fullmatch(text):
        raise UsageError(
            f"'{text}' is neither a version (1.2.0) nor an alias (production): an alias begins with a small letter and "
            "goes on with small letters, digits, '_' and '-', at most 64 characters."
        )
    return text


def as_name(text: str) -> str:
    """Turn free text into the nearest legal adapter name; empty when nothing of it can stay."""
    kept = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9_.-]+", "_", text.lower()))
    return kept.strip("_.-")[:128].rstrip("_.-")


def nearest(word: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """The known names that look most like a misspelt one, best first."""
    return difflib.get_close_matches(word, list(known), n=count, cutoff=0.5)


def peft_name(position: int, name: str) -> str:
    """The name that PEFT knows a stack's member by, such as `1_persona_lincoln`.

    PEFT keeps adapters in module dicts, whose keys hold no dots, and filters tensors by `.<name>.`, so that an adapter
    called like a module would take that module's tensors with it; the position in front prevents both.
    """
    return f"{position}_{name.replace('.', '_')}"
