"""Take secrets out of a config before it is saved: by the name of a key, by the shape of a value, out of addresses."""

from __future__ import annotations

import re
from typing import Any

REDACTED = "<redacted>"

# A key is secret by any of these words, by `token` as its last word, or by `key` after a word that says whose.
_SECRET = re.compile(
    "password|passwd|passphrase|pwd|secret|secrets|credential|credentials|apikey|bearer|authorization|cookie"
)
_KEYS_OF = re.compile("api|access|secret|private|account|signing|ssh|encryption|auth|service|subscription")
_TOKENS_OF = re.compile("api|access|auth|refresh|secret|hub|hf|id|session")
# A tokenizer's own: `pad_token` is a text of the vocabulary.
_VOCABULARY = re.compile(
    "pad|eos|bos|unk|sep|cls|mask|image|audio|video|special|start|end|stop|first|last|next|new|prefix|suffix"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SHAPES = re.compile(
    r"""
      \bhf_[A-Za-z0-9]{20,}
    | \bsk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_[A-Za-z0-9_]{20,} | \bglpat-[A-Za-z0-9_-]{16,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bAIza[A-Za-z0-9_-]{35} | \bxox[abeoprs]-[A-Za-z0-9-]{10,} | \bpypi-[A-Za-z0-9_-]{20,} | \bnpm_[A-Za-z0-9]{20,}
    | \beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z\ ]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
# Hydra saves an address with its colons escaped, and a path has one slash of the two left.
_USER = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*\\?:/{1,2})[^\s/?#@]*:[^\s/?#]*@")
# `token=x` wherever it stands: in an address, in prose, among the overrides that Hydra joins to one text.
_ASSIGNED = re.compile(r"(?<![A-Za-z0-9_.-])([A-Za-z0-9_.-]+)=")
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s&#,;\"'\])}]+")
_OVERRIDE = re.compile(r"(?P<front>[+~]{0,2}(?P<key>[A-Za-z0-9_./@-]+)=)(?P<value>.*)", re.DOTALL)
_INLINE = re.compile(r"(?P<front>(?P<key>[A-Za-z0-9_.-]+)\s*:\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^,{}\[\]\s][^,{}\[\]]*)")


def redact(value: Any) -> Any:
    """A copy of plain values with every secret replaced by `<redacted>`; null, flags and empty texts stay.

    Args:
        value: tables, lists, texts, numbers. A text that is an override, such as `hub.token=x`, is read as one.
    """
    if isinstance(value, dict):
        return {_key(key): _covered(entry) if is_secret(str(key)) else redact(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [redact(entry) for entry in value]
    return _text(value) if isinstance(value, str) else value


def is_secret(key: str) -> bool:
    """Whether what stands under a key must not be saved; a dotted key is secret when one of its parts is."""
    return any(_is_secret([word.lower() for word in _WORD.findall(part)]) for part in re.split(r"[./@]", key))


def _is_secret(words: list[str]) -> bool:
    if not words:
        return False
    before, last = (words[-2] if len(words) > 1 else ""), words[-1]
    return (
        any(_SECRET.fullmatch(word) for word in words)
        or (last == "token" and not _VOCABULARY.fullmatch(before))
        or (last == "tokens" and bool(_TOKENS_OF.fullmatch(before)))
        or (last in ("key", "keys") and bool(_KEYS_OF.fullmatch(before)))
    )


def _covered(value: Any) -> Any:
    """The same structure, with nothing of what it held."""
    if isinstance(value, dict):
        return {key: _covered(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_covered(entry) for entry in value]
    return value if value is None or isinstance(value, bool) or value == "" else REDACTED


def _key(key: Any) -> Any:
    return redact_text(key) if isinstance(key, str) else key


def _text(text: str) -> str:
    if override := _OVERRIDE.fullmatch(text):
        front, value = override["front"], override["value"]
        if is_secret(override["key"]):
            return front + _covered_text(value)
        return front + redact_text(_INLINE.sub(_inline, value))
    return redact_text(text)


def _inline(found: re.Match[str]) -> str:
    """One entry of a table written inside an override: `hub={token: x}`."""
    return found["front"] + _covered_text(found["value"]) if is_secret(found["key"]) else found[0]


def _assigned(text: str) -> str:
    """The text without the value of any `token=x` in it; a value of another key may hold one: `url='x?token=y'`."""
    parts, at = [], 0
    for found in _ASSIGNED.finditer(text):
        if found.start() >= at and is_secret(found[1]) and (value := _VALUE.match(text, found.end())):
            parts += [text[at : found.end()], _covered_text(value[0])]
            at = value.end()
    return "".join([*parts, text[at:]])


def redact_text(text: str) -> str:
    """A text of any kind, such as a page or a line of a log, with every secret in it replaced by `<redacted>`."""
    text = _USER.sub(rf"\g<scheme>{REDACTED}@", text)
    return _SHAPES.sub(REDACTED, _assigned(text))


def _covered_text(text: str) -> str:
    return text if text.lower() in ("", "null", "none", "true", "false") else REDACTED
