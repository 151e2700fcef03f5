"""What an artifact says for people - description, intended use, tags, custom fields - fits on a page."""

from __future__ import annotations

import math
import re
from typing import Any

from adapterkit.config.schema import TrainConfig
from adapterkit.errors import UsageError
from adapterkit.texts import excerpt

MAX_TEXT = 4000
MAX_TAGS = 32
MAX_TAG = 100
MAX_FIELDS = 64
MAX_FIELD_TEXT = 1000
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def check_told(config: TrainConfig) -> None:
    """Demand texts, tags and custom fields that a manifest and a model card can carry.

    Raises:
        UsageError: one is too long, there are too many, or a custom field is no plain text, number or flag.
    """
    for key in ("description", "intended_use"):
        if len(text := getattr(config, key)) > MAX_TEXT:
            raise UsageError(f"{key} has {len(text):,} letters, and {MAX_TEXT:,} are the most. Put more in a file.")
    if len(config.tags) > MAX_TAGS or any(not 0 < len(tag) <= MAX_TAG for tag in config.tags):
        raise UsageError(
            f"tags={excerpt(list(config.tags))} cannot be used: it takes a list of up to {MAX_TAGS} texts of 1 to "
            f"{MAX_TAG} letters."
        )
    if len(config.custom) > MAX_FIELDS:
        raise UsageError(f"custom has {len(config.custom)} fields, and {MAX_FIELDS} are the most.")
    for name, value in config.custom.items():
        if not _KEY.fullmatch(str(name)):
            raise UsageError(
                f"custom.{excerpt(name)} cannot name a field: begin with a letter, and go on with letters, digits, "
                "'_', '-' and '.', at most 64."
            )
        if not _is_scalar(value):
            raise UsageError(
                f"custom.{name}={excerpt(value)} cannot be used: a custom field is a text of up to {MAX_FIELD_TEXT:,} "
                "letters, a number of 64 bits, true, false or null."
            )


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_FIELD_TEXT
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or (isinstance(value, float) and math.isfinite(value))
