"""What the report says, as plain texts in tables; the template puts them on the page and escapes them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapterkit.config.flat import flat
from adapterkit.evaluation.paired import PairedChange
from adapterkit.evaluation.report.chart import Chart, Curve, Tick, chart, ticks
from adapterkit.evaluation.series import Curves, number
from adapterkit.manifest import Manifest
from adapterkit.texts import counted, duration

Row = tuple[str, str]


@dataclass(frozen=True)
class Story:
    """What one training came to.

    Attributes:
        manifest: of the published artifact.
        artifact_digest: sha256 of its checksums.json.
        settings: the composed config by dotted key, without secrets.
        history: everything that was logged; losses in nats a token.
        test: the test split without and with the adapter; null without test rows.
        loading: Python that loads it, by what it loads it with.
    """

    manifest: Manifest
    artifact_digest: str
    settings: Mapping[str, str]
    history: Sequence[Mapping[str, Any]]
    test: PairedChange | None
    loading: Mapping[str, str]


@dataclass(frozen=True)
class Interval:
    """The paired change on an axis, in per cent from the left; `better` where all of the interval lies below zero."""

    low: float
    high: float
    middle: float
    zero: float
    ticks: Sequence[Tick]
    verdict: str
    better: bool


@dataclass(frozen=True)
class Generation:
    """One member of the lineage, root first."""

    name: str
    digest: str
    what: str


def charts_of(history: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """The losses, and what else was logged by step."""
    curves = Curves.of(history)
    last = curves.last_step
    losses = [
        Curve("training", "training", curves.loss),
        Curve("validation", "validation", curves.validation, smooth=False, best=True),
    ]
    found = [
        chart("Loss, nats a token", losses, last_step=last),
        chart(
            "Learning rate", [Curve("", "plain", curves.learning_rate, smooth=False)], last_step=last, from_zero=True
        ),
        chart("Gradient norm", [Curve("", "plain", curves.grad_norm)], last_step=last, from_zero=True),
        chart("Tokens a second", [Curve("", "plain", curves.tokens_per_second)], last_step=last, from_zero=True),
    ]
    return [each for each in found if each is not None]


def interval_of(test: PairedChange) -> Interval:
    """Where the change and its interval stand beside zero."""
    reach = max(abs(test.ci95_low), abs(test.ci95_high), 1e-6) * 1.15
    low, high = min(-reach * 0.35, test.ci95_low * 1.15), max(reach * 0.35, test.ci95_high * 1.15)

    def across(value: float) -> float:
        return 100 * (value - low) / (high - low)

    if test.ci95_high < 0:
        verdict = "better on held-out rows: all of the 95 % interval lies below zero"
    elif test.ci95_low > 0:
        verdict = "worse on held-out rows: all of the 95 % interval lies above zero"
    else:
        verdict = "no difference that these rows can tell: the 95 % interval holds zero"
    marks = [Tick(across(value), f"{value:+.4g}" if value else "0") for value in ticks(low, high, 4)]
    return Interval(
        low=across(test.ci95_low),
        high=across(test.ci95_high),
        middle=across(test.change),
        zero=across(0.0),
        ticks=marks,
        verdict=verdict,
        better=test.ci95_high < 0,
    )


def tiles_of(story: Story) -> list[Row]:
    """The few numbers that a reader wants first."""
    metrics, found = story.manifest.metrics, list[Row]()
    if story.test is not None:
        found.append(("test loss", f"{story.test.before:.3f} \N{RIGHTWARDS ARROW} {story.test.after:.3f}"))
    if "validation_loss" in metrics:
        found.append(("validation loss", f"{metrics['validation_loss']:.3f}"))
    found.append(("parameters", f"{story.manifest.adapter.parameters:,}"))
    if "steps" in metrics:
        found.append(("steps", f"{metrics['steps']:,.0f}"))
    # The metric of that name counts the time of evaluations and checkpoints too.
    if paces := [pace for _, pace in Curves.of(story.history).tokens_per_second.points]:
        found.append(("tokens a second", f"{statistics.median(paces):,.0f}"))
    if "seconds" in metrics:
        found.append(("training time", duration(metrics["seconds"])))
    return found


def lineage_of(manifest: Manifest) -> list[Generation]:
    """Base and members, root first, each with the digest that binds it."""
    base = manifest.base.identity
    kind = base.quantization.get("kind", "none")
    root = Generation(base.id, base.source_digest, f"base, held in {kind}" if kind != "none" else "base, unquantized")
    parents = [Generation(str(m.ref), m.weights_digest, "frozen parent") for m in manifest.lineage.parents]
    return [root, *parents, Generation(str(manifest.ref), manifest.weights_digest, "this adapter")]


def tables_of(story: Story) -> dict[str, list[Row]]:
    """Title -> rows."""
    manifest = story.manifest
    shape, data = manifest.adapter, manifest.data
    return {
        "Adapter": [
            ("variant", shape.variant),
            ("rank", f"{shape.rank}"),
            ("alpha", number(shape.alpha)),
            ("targets", ", ".join(shape.targets)),
            ("parameters", f"{shape.parameters:,}"),
            ("size", f"{shape.bytes / 1e6:,.2f} MB"),
            ("weights digest", manifest.weights_digest),
            ("artifact digest", story.artifact_digest),
            ("run key", manifest.run_key),
        ],
        "Data": [
            ("source", data.source),
            ("trained on", f"{counted(data.rows, 'row')}, {counted(data.tokens, 'token')}"),
            ("digest", data.digest),
            *data.origins.items(),
        ],
        "Metrics": [(key, number(value)) for key, value in sorted(manifest.metrics.items())],
        "Environment": list(flat(manifest.environment)),
    }


def proof_of(manifest: Manifest) -> list[Row]:
    """What was compared before and after, and how it came out."""
    base = manifest.base
    return [
        ("tensors compared", f"{base.tensors:,}"),
        ("fingerprint before", base.fingerprint_before),
        ("fingerprint after", base.fingerprint_after),
    ]
