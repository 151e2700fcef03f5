"""Merge adapters, layer by layer; of dense changes never more than those of the layers in work are in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from adapterkit.errors import UsageError
from adapterkit.merging.asked import checked
from adapterkit.merging.each_layer import each_layer
from adapterkit.merging.factors import Factors
from adapterkit.merging.layer import merged_layer
from adapterkit.merging.options import Merged, MergeOptions, On

__all__ = ["MergeOptions", "Merged", "On", "merge"]


def merge(
    sources: Sequence[Mapping[str, Factors]],
    options: MergeOptions,
    *,
    layer_done: Callable[[int, int], None] | None = None,
) -> Merged:
    """Merge adapters of one base; a layer that a source lacks is unchanged by it.

    The same sources and options on the same machine give the same bits, on however many threads.

    Args:
        sources: the changes of each, in float64, by the layer's name in the base; asked from several threads at once.
        options: how.
        layer_done: told, after each layer, how many are done, and of how many.

    Raises:
        UsageError: the options do not fit the sources or each other; nothing is left of any layer.
    """
    checked(options, len(sources))
    names = sorted({name for source in sources for name in source})

    def merged(name: str) -> tuple[Factors, float] | None:
        return merged_layer(name, [source.get(name) for source in sources], options)

    modules, errors = {}, {}
    with closing(each_layer(merged, names)) as layers:
        for number, (name, layer) in enumerate(zip(names, layers, strict=True), 1):
            if layer is not None:
                modules[name], errors[name] = layer
            if layer_done is not None:
                layer_done(number, len(names))
    if not modules:
        raise UsageError(
            "Nothing is left of the merge: every change is zero, by its weight, because it learned nothing, or because "
            "the changes cancel each other. The base alone is the same model."
        )
    return Merged(modules, errors)
