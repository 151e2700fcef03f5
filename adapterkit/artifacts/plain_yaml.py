"""Whether YAML is plain enough to be parsed: one small, shallow table of settings that names no code.

A parser expands 258 bytes of aliases for half a minute, so this reads only the stream of events, which builds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from adapterkit.texts import excerpt, one_line

# A hundred times what a config takes; at this size the slower of the two readers still needs only a third of a second.
MAX_YAML_BYTES = 200_000
MAX_YAML_DEPTH = 32
MAX_YAML_NODES = 10_000
# Hydra calls what these name, and OmegaConf evaluates what stands in `${}`: the environment, or any resolver.
HYDRA_KEYS = frozenset({"_target_", "_partial_", "_recursive_", "_convert_", "_args_"})
INTERPOLATION = "${"
# The two read some texts differently: what passes must be plain to both, whichever a later reader uses. The fast one
# goes first, because it refuses attacks that the other would chew on.
_LOADERS = tuple(dict.fromkeys((getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader)))


class _Open:
    """A table or list whose end has not come yet; of a table, the keys so far and whether the next node is one."""

    def __init__(self, event: yaml.Event) -> None:
        self.keys: set[str] | None = set() if isinstance(event, yaml.MappingStartEvent) else None
        self.at_key = self.keys is not None

    def problem_of(self, node: yaml.Event) -> str | None:
        """Say why a node may not come next here."""
        was_key, self.at_key = self.at_key, self.keys is not None and not self.at_key
        if self.keys is None or not was_key:
            return None
        if not isinstance(node, yaml.ScalarEvent):
            return f"has a list or a table for a key{_where(node)}"
        if node.value == "<<" or node.value in HYDRA_KEYS:
            return f"has the key {node.value}, which plain settings do not need{_where(node)}"
        if node.value in self.keys:
            return f"names the key {excerpt(node.value)} twice{_where(node)}"
        self.keys.add(node.value)
        return None


def yaml_problem(data: bytes) -> str | None:
    """Say why a YAML document must not be parsed, or None when it may."""
    if len(data) > MAX_YAML_BYTES:
        return f"is larger than {MAX_YAML_BYTES} bytes"
    try:
        text = data.decode("utf-8")
        problems = (_walk(yaml.parse(text, Loader=loader)) for loader in _LOADERS)
        return next((what for what in problems if what is not None), None)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # libyaml has a limit of its own, a thousand levels.
        if "nesting depth" in str(error):
            return f"nests deeper than {MAX_YAML_DEPTH}"
        return f"is not YAML: {one_line(error)}"


def _walk(events: Iterable[yaml.Event]) -> str | None:
    inside: list[_Open] = []
    nodes = documents = 0
    for event in events:
        documents += isinstance(event, yaml.DocumentStartEvent)
        if isinstance(event, yaml.CollectionEndEvent):
            inside.pop()
        elif isinstance(event, yaml.NodeEvent):
            nodes += 1
            if what := _refused(event) or _misplaced(event, inside, nodes):
                return what
            if isinstance(event, yaml.CollectionStartEvent):
                inside.append(_Open(event))
    return None if documents == 1 else f"holds {documents} documents, not one"


def _refused(node: yaml.NodeEvent) -> str | None:
    """What no node may be or hold, wherever it stands."""
    if isinstance(node, yaml.AliasEvent) or node.anchor is not None:
        return f"uses YAML anchors or aliases{_where(node)}"
    if (tag := getattr(node, "tag", None)) is not None:
        return f"uses the YAML tag {excerpt(tag)}{_where(node)}"
    if isinstance(node, yaml.ScalarEvent) and INTERPOLATION in node.value:
        return f"holds an interpolation {INTERPOLATION}...}}{_where(node)}"
    return None


def _misplaced(node: yaml.NodeEvent, inside: list[_Open], nodes: int) -> str | None:
    if not inside:
        return None if isinstance(node, yaml.MappingStartEvent) else "is not a table of settings"
    if isinstance(node, yaml.CollectionStartEvent) and len(inside) == MAX_YAML_DEPTH:
        return f"nests deeper than {MAX_YAML_DEPTH}"
    if nodes > MAX_YAML_NODES:
        return f"holds more than {MAX_YAML_NODES} values"
    return inside[-1].problem_of(node)


def _where(event: yaml.Event) -> str:
    return f" (line {event.start_mark.line + 1})" if event.start_mark is not None else ""
