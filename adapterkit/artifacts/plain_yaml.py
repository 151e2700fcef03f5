"""Whether YAML is plain enough to be parsed: no aliases, no tags, small and shallow.

A parser expands 258 bytes of aliases for half a minute, so this reads only the stream of events, which builds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml

MAX_YAML_BYTES = 1_000_000
MAX_YAML_DEPTH = 32
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_problem(data: bytes) -> str | None:
    """Say why a YAML document must not be parsed, or None when it may."""
    if len(data) > MAX_YAML_BYTES:
        return f"is larger than {MAX_YAML_BYTES} bytes"
    try:
        return _walk(yaml.parse(data.decode("utf-8"), Loader=_LOADER))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        return f"is not YAML: {' '.join(str(error).split())}"


def _walk(events: Iterable[yaml.Event]) -> str | None:
    depth = documents = 0
    for event in events:
        if what := _refused(event):
            return what
        documents += isinstance(event, yaml.DocumentStartEvent)
        if isinstance(event, yaml.CollectionStartEvent):
            if depth == 0 and not isinstance(event, yaml.MappingStartEvent):
                return "is not a table of settings"
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and depth == 0:
            return "is not a table of settings"
        if depth > MAX_YAML_DEPTH:
            return f"nests deeper than {MAX_YAML_DEPTH}"
    return None if documents == 1 else f"holds {documents} documents, not one"


def _refused(event: yaml.Event) -> str | None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        return f"uses YAML anchors or aliases{_where(event)}"
    if (tag := getattr(event, "tag", None)) is not None:
        return f"uses the YAML tag {tag}{_where(event)}"
    return None


def _where(event: yaml.Event) -> str:
    return f" (line {event.start_mark.line + 1})" if event.start_mark is not None else ""
