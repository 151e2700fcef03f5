"""Names, versions and refs of adapters: their grammar, and nothing about where they live."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from adapterkit.errors import UsageError
from adapterkit.texts import excerpt

# What PEFT writes before a layer's name in the base, in the names of an adapter's tensors.
TENSOR_PREFIX = "base_model.model."

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,126}[a-z0-9])?")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
# The largest that `_VERSION` reads, as major, minor or patch.
LAST_NUMBER = 999_999_999
# ASCII: elsewhere `\d` is any script's digits, and a version would have more than one spelling.
_VERSION = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", re.ASCII)
# Windows opens a device under these names, whatever ending follows; a registry may be copied there.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")


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
            raise UsageError(f"{excerpt(text)} is not a version: write MAJOR.MINOR.PATCH, such as 1.2.0.")
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class AdapterRef:
    """Which adapter is meant: `name` (its latest version), `name@1.2.0` or `name@alias`.

    `AdapterRef.parse(str(ref)) == ref` for every ref: none can be made whose name or alias breaks the grammar.
    """

    name: str
    selector: Version | str | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        if isinstance(self.selector, str):
            check_alias(self.selector)

    @classmethod
    def parse(cls, text: str) -> AdapterRef:
        """Read a ref.

        Raises:
            UsageError: the name, version or alias breaks the grammar.
        """
        if ref := _meant(text):
            raise UsageError(f"{excerpt(text)} is no ref, which is name, name@version or name@alias. Such as: {ref}")
        name, at, selector = text.partition("@")
        check_name(name)
        if not at:
            return cls(name)
        return cls(name, Version.parse(selector) if selector[:1].isdigit() else selector)

    def __str__(self) -> str:
        return self.name if self.selector is None else f"{self.name}@{self.selector}"


def check_name(name: str, *, said_as: str = "") -> str:
    """Return the name when an adapter may bear it.

    Args:
        name: the name.
        said_as: what stands before a name where it was said, such as `name=` or `--name `; for the message.

    Raises:
        UsageError: the name holds anything but small letters, digits, `_`, `-` and inner dots, holds `..`, is longer
            than 128 characters, or is a device of Windows.
    """
    if _NAME.fullmatch(name) and ".." not in name and not _DEVICE.fullmatch(name):
        return name
    taken = " (Windows keeps this name for a device)" if _DEVICE.fullmatch(name) else ""
    raise UsageError(
        f"{excerpt(name)} cannot name an adapter{taken}: use small letters, digits, '_', '-' and inner dots, at most "
        f"128 characters. For example: {said_as}{as_name(name[:200]) or 'my_adapter'}"
    )


def check_alias(text: str) -> str:
    """Return the text when it can be an alias.

    Raises:
        UsageError: it does not begin with a small letter, holds anything but small letters, digits, `_` and `-`, or is
            longer than 64 characters.
    """
    if not _ALIAS.fullmatch(text):
        raise UsageError(
            f"{excerpt(text)} is neither a version (1.2.0) nor an alias (production): an alias begins with a small "
            "letter and goes on with small letters, digits, '_' and '-', at most 64 characters."
        )
    return text


def _meant(text: str) -> str | None:
    """The ref of what is one elsewhere: a folder in a registry, wherever that is, or pip's `name==1.0.0`; else null."""
    *_, folder, last = ("", *text.replace("==", "/").rstrip("/").split("/"))
    versioned = bool(_VERSION.fullmatch(last))
    name = folder if versioned else last
    if "@" in text or name == text or not _NAME.fullmatch(name):
        return None
    return f"{name}@{last}" if versioned else name


def as_name(text: str) -> str:
    """Turn free text into the nearest legal adapter name; empty when nothing of it can stay."""
    kept = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9_.-]+", "_", text.lower()))
    name = kept.strip("_.-")[:128].rstrip("_.-")
    return f"my_{name}"[:128].rstrip("_.-") if _DEVICE.fullmatch(name) else name


def nearest(word: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """The known names that look most like a misspelt one, best first."""
    return difflib.get_close_matches(word, list(known), n=count, cutoff=0.5)


def peft_name(position: int, name: str) -> str:
    """The name that PEFT knows a stack's member by, such as `1_persona_lincoln`.

    PEFT keeps adapters in module dicts, whose keys hold no dots, and filters tensors by `.<name>.`, so that an adapter
    called like a module would take that module's tensors with it; the position in front prevents both.
    """
    return f"{position}_{name.replace('.', '_')}"
