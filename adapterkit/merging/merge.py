"""Merge adapters, layer by layer; never more than one layer's dense change is in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adapterkit.errors import UsageError
from adapterkit.merging.asked import checked
from adapterkit.merging.factors import Factors
from adapterkit.merging.layer import merged_layer
from adapterkit.merging.methods import Linear
from adapterkit.merging.options import Merged, MergeOptions, On
from adapterkit.merging.threads import on_threads

__all__ = ["MergeOptions", "Merged", "On", "merge"]


def merge(
    sources: Sequence[Mapping[str, Factors]],
    options: MergeOptions,
    *,
    layer_done: Callable[[int, int], None] | None = None,
) -> Merged:
    """Merge adapters of one base; a layer that a source lacks is unchanged by it.

    The same sources and options on the same machine give the same bits.

    Args:
        sources: the changes of each, in float64, by the layer's name in the base; asked from several threads.
        options: how.
        layer_done: told, after each layer, how many are done, and of how many.

    Raises:
        UsageError: the options do not fit the sources or each other; nothing is left of any layer.
    """
    method = checked(options, len(sources))
    names = sorted({name for source in sources for name in source})

    def one(name: str) -> tuple[Factors, float] | None:
        return merged_layer(name, [source.get(name) for source in sources], options)

    # A masked merge is a dense matrix while it lasts, so that there is one at a time, and the threads share its rows.
    layers = on_threads(one, names) if isinstance(method, Linear) else map(one, names)
    modules, errors = {}, {}
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
