"""Whether adapters can be combined: asked of their manifests and headers, before a weight is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from adapterkit.artifacts import Artifact, LoraSettings, read_header, verified_settings
from adapterkit.errors import StackError
from adapterkit.manifest import WEIGHTS_FILE
from adapterkit.names import TENSOR_PREFIX
from adapterkit.texts import counted, listed

_A, _B = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class Check:
    """One thing that has to agree.

    Attributes:
        part: base, tokenizer, quantization, parents, variant, shapes, targets or ranks.
        values: what each adapter has there, in their order, for people.
        why: what does not fit, and the way out; empty where it fits.
        note: what there is to know although it fits.
    """

    part: str
    values: tuple[str, ...]
    why: str = ""
    note: str = ""

    @property
    def fits(self) -> bool:
        """Whether it is no obstacle."""
        return not self.why


@dataclass(frozen=True)
class Compatibility:
    """What fits among several adapters, and what does not."""

    refs: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def fits(self) -> bool:
        """Whether they can be merged."""
        return all(check.fits for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        checks = [{**asdict(each), "values": list(each.values), "fits": each.fits} for each in self.checks]
        return {"refs": list(self.refs), "fits": self.fits, "checks": checks}

    def require(self) -> None:
        """Go on only where all fits.

        Raises:
            StackError: something does not; all of it is listed.
        """
        if not self.fits:
            lines = [f"{check.part}: {check.why}" for check in self.checks if not check.fits]
            raise StackError(
                f"{', '.join(self.refs)} cannot be merged:{listed(lines)}\n"
                f"See: adapterkit compatible {' '.join(self.refs)}"
            )


@dataclass(frozen=True)
class _Source:
    """One adapter, with what is looked at."""

    artifact: Artifact

    @property
    def ref(self) -> str:
        return str(self.artifact.ref)

    @cached_property
    def settings(self) -> LoraSettings:
        return verified_settings(self.artifact)

    @cached_property
    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """(outputs, inputs) by the layer's name."""
        shapes = {name: entry.shape for name, entry in read_header(self.artifact.path / WEIGHTS_FILE).tensors.items()}
        modules = {name.removesuffix(_A) for name in shapes if name.endswith(_A)}
        return {
            module.removeprefix(TENSOR_PREFIX): (shapes[module + _B][0], shapes[module + _A][1]) for module in modules
        }

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        return {module: self.settings.rank_of(module) for module in self.sizes}


def compatibility(adapters: Sequence[Artifact], *, on: str = "deltas") -> Compatibility:
    """Compare adapters, part by part.

    Args:
        adapters: verified, one at least, without their parents.
        on: what is merged: `factors` takes equal ranks.

    Raises:
        ArtifactError: one was changed since it was verified.
    """
    sources = [_Source(each) for each in adapters]
    checks = [check(sources) for check in _CHECKS]
    return Compatibility(tuple(each.ref for each in sources), (*checks, _ranks(sources, on)))


def _alike(part: str, sources: Sequence[_Source], values: Sequence[str], bound: Sequence[Any], fix: str) -> Check:
    """A part that has to be the same everywhere; null is not recorded, and fits."""
    known = [each for each in zip(sources, values, bound, strict=True) if each[2] is not None]
    odd = [(source, value) for source, value, mine in known if mine != known[0][2]]
    told = ", ".join(f"{source.ref} has {value}" for source, value in odd)
    return Check(part, tuple(values), f"{told}, and {known[0][0].ref} {known[0][1]}. {fix}" if odd else "")


def _base(sources: Sequence[_Source]) -> Check:
    bases = [each.artifact.manifest.lineage.base for each in sources]
    values = [f"{base.id} ({base.source_digest[:12]})" for base in bases]
    fix = "A change is one of a base's own weights: train them on one base."
    return _alike("base", sources, values, [base.source_digest for base in bases], fix)


def _tokenizer(sources: Sequence[_Source]) -> Check:
    digests = [each.artifact.manifest.lineage.base.tokenizer_digest for each in sources]
    values = [digest[:12] if digest else "not recorded" for digest in digests]
    fix = "They learnt other tokens, or another chat template: train them with one tokenizer."
    return _alike("tokenizer", sources, values, digests, fix)


def _quantization(sources: Sequence[_Source]) -> Check:
    held = [dict(each.artifact.manifest.lineage.base.quantization) for each in sources]
    keys = [key for key in held[0] if key == "kind" or any(each.get(key) != held[0][key] for each in held)]
    values = [", ".join(f"{'' if key == 'kind' else f'{key} '}{each.get(key)}" for key in keys) for each in held]
    fix = "Each learnt what that base gets wrong: train them on the base held in one way (quantization=...)."
    return _alike("quantization", sources, values, held, fix)


def _parents(sources: Sequence[_Source]) -> Check:
    chains = [each.artifact.manifest.lineage.parents for each in sources]
    values = [" <- ".join(str(member.ref) for member in chain) or "the bare base" for chain in chains]
    bound = [[member.weights_digest for member in chain] for chain in chains]
    own = next((each for each, chain in zip(sources, chains, strict=True) if chain), None)
    fix = f"Make plain adapters of those on parents, and merge these: adapterkit flatten {own.ref if own else ''}"
    return _alike("parents", sources, values, bound, fix)


def _variant(sources: Sequence[_Source]) -> Check:
    values = tuple(each.settings.variant for each in sources)
    dora = [each.ref for each in sources if "dora" in each.settings.variant]
    told = (
        f"{', '.join(dora)}: a DoRA rescales the base's own weights, so its change is no low-rank matrix. Train it "
        "again with adapter.use_dora=false"
    )
    return Check("variant", values, told if dora else "")


def _shapes(sources: Sequence[_Source]) -> Check:
    values = tuple(counted(len(each.sizes), "layer") for each in sources)
    return Check("shapes", values, "; ".join(_other_shapes(sources)))


def _other_shapes(sources: Sequence[_Source]) -> Iterator[str]:
    """One text for the first layer whose sizes differ, which says how many do."""
    found: dict[str, dict[tuple[int, int], str]] = {}
    for source in sources:
        for module, size in source.sizes.items():
            found.setdefault(module, {}).setdefault(size, source.ref)
    odd = sorted(module for module, sizes in found.items() if len(sizes) > 1)
    if odd:
        told = ", ".join(f"{rows} x {columns} in {ref}" for (rows, columns), ref in found[odd[0]].items())
        yield f"{counted(len(odd), 'layer')} of other sizes, first {odd[0]}: {told}. They are not of one base"


def _targets(sources: Sequence[_Source]) -> Check:
    kinds = [sorted({module.rpartition(".")[2] for module in each.sizes}) for each in sources]
    every = {module for each in sources for module in each.sizes}
    shared = {module for module in every if all(module in each.sizes for each in sources)}
    apart = len(every) - len(shared)
    told = f"{counted(apart, 'layer')} of {len(every)} not changed by all: a change of zero there" if apart else ""
    return Check("targets", tuple(", ".join(each) for each in kinds), note=told)


def _ranks(sources: Sequence[_Source], on: str) -> Check:
    values = tuple(", ".join(map(str, sorted(set(each.ranks.values())))) for each in sources)
    modules = {module for each in sources for module in each.ranks}
    differ = any(len({each.ranks[module] for each in sources if module in each.ranks}) > 1 for module in modules)
    if differ and on == "factors":
        return Check("ranks", values, "on=factors adds A to A and B to B, which takes equal ranks: use on=deltas")
    return Check("ranks", values, note="true changes are merged, so ranks need not agree" if differ else "")


_CHECKS: tuple[Callable[[Sequence[_Source]], Check], ...] = (
    _base,
    _tokenizer,
    _quantization,
    _parents,
    _variant,
    _shapes,
    _targets,
)
