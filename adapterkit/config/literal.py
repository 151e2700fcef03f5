"""Values that are data: OmegaConf must hand them on as they are, and ask nothing that stands in `${}`."""

from __future__ import annotations

import re
from typing import Any

# A backslash before `${` escapes it, unless that backslash is escaped itself.
_ASKS = re.compile(r"(\\*)\$\{")


def literal(value: Any) -> Any:
    """The value with every `${` in its texts escaped, so that resolving it gives the value back."""
    if isinstance(value, dict):
        return {key: literal(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [literal(entry) for entry in value]
    return _ASKS.sub(r"\1\1\\${", value) if isinstance(value, str) else value
