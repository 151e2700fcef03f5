"""Every operation, under every kind of fault, at every call by which it reaches its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from faults.checks import Trial
from faults.forked import Outcome
from faults.operations import OPERATIONS
from faults.shim import FAULTS, Kind

Injected = Counter[tuple[str, str]]
AT_LEAST = 1000
SAMPLE = {"publish a child onto a parent": 4, "save over a save of other settings": 1}


def plan(trial: Trial) -> list[tuple[str, int]]:
    """Every fault with every call that it can strike."""
    calls = {kind: trial.server.calls(trial.fresh(), kind) for kind in (Kind.READ, Kind.CHANGE)}
    return [
        (name, number)
        for name, fault in FAULTS.items()
        for number, call in enumerate(calls[fault.counted], 1)
        if call.name == "write" or not fault.writes_only
    ]


def some_of(steps: list[tuple[str, int]], each: int) -> list[tuple[str, int]]:
    """A few calls for each fault, spread over the operation."""
    by_fault = [[step for step in steps if step[0] == fault] for fault in FAULTS]
    return [of_one[len(of_one) * (2 * at + 1) // (2 * each)] for of_one in by_fault for at in range(each)]


def strike(trial: Trial, steps: list[tuple[str, int]], injected: Injected) -> list[str]:
    """Inject each and return what is wrong afterwards."""
    problems = []
    for fault, number in steps:
        problems += trial.problems(fault, number)
        injected[trial.server.operation, fault] += 1
    return problems


@pytest.mark.parametrize("operation", SAMPLE)
def test_a_sample_does_no_harm(
    trial: Callable[[str], Trial], injected: Injected, record_property: Callable[[str, object], None], operation: str
) -> None:
    made, before = trial(operation), injected.total()
    assert strike(made, some_of(plan(made), SAMPLE[operation]), injected) == []
    record_property("faults", injected.total() - before)


@pytest.mark.parametrize(
    ("operation", "fault", "name", "where"),
    [
        # Half of two files were replaced, and what was to be undone was removed.
        ("save over a save of other settings", "input/output error once", "rename", "adapter"),
        # Between two renames the settings have to be what is missing: without them nobody reads the weights.
        ("save over a save of other settings", "kill -9 after", "rename", "adapter"),
        # Python's rmtree raises in spite of ignore_errors, and hid what had happened before.
        ("save over a save of other settings", "unreadable once", "stat", ".staging-"),
        # A bare OSError came from the depths of reading and verifying.
        ("publish a first version", "unreadable once", "open", "adapter_model.safetensors"),
        ("promote a version", "unreadable once", "stat", "adapters/child"),
        # A collector was killed half-way, and the rest had to be collected after all.
        ("publish beside a dead publisher", "kill -9 before", "unlink", ".staging-"),
        # Nothing was ever removed of what a publisher had staged before it was killed.
        ("publish a next version", "kill -9 after", "mkdir", ".staging-"),
        # Signing again found the signature, did not flush it, and left the dead signer's staging for ever.
        ("sign", "kill -9 after", "link", ".staging-"),
        # A bare OSError came from looking whether a signature is there, and from measuring what a collection frees.
        ("sign", "unreadable once", "stat", "checksums.json.sig"),
        ("collect garbage", "unreadable once", "stat", "child/1.0.0/README.md"),
        # What could not be read was told without a reason.
        ("collect garbage", "unreadable once", "open", "unified/1.2.0/metadata.json"),
    ],
)
def test_what_once_did_harm_does_none(
    trial: Callable[[str], Trial], injected: Injected, operation: str, fault: str, name: str, where: str
) -> None:
    made = trial(operation)
    calls = made.server.calls(made.fresh(), FAULTS[fault].counted)
    steps = [(fault, at) for at, call in enumerate(calls, 1) if call.name == name and where in call.path]
    assert steps
    assert strike(made, steps, injected) == []


@pytest.mark.long
def test_no_fault_at_any_call_does_harm(
    trial: Callable[[str], Trial], injected: Injected, record_property: Callable[[str, object], None]
) -> None:
    before = injected.total()
    problems = []
    for operation in OPERATIONS:
        made = trial(operation)
        problems += strike(made, plan(made), injected)
    assert problems == []
    record_property("faults", injected.total() - before)
    assert injected.total() - before >= AT_LEAST


@pytest.mark.parametrize(
    ("operation", "file", "seen"),
    [
        ("collect garbage", "child/2.0.0/README.md", "child@2.0.0 was lost or changed"),
        ("collect garbage", "child/1.0.0/README.md", "child@1.0.0 was lost or changed"),
        ("sign", "child/1.0.0/checksums.json.sig", "child@1.0.0 was lost or changed"),
        ("sign", "unified/1.0.0/README.md", "unified@1.0.0 was lost or changed"),
    ],
)
def test_what_an_operation_may_not_leave_is_seen(
    trial: Callable[[str], Trial], operation: str, file: str, seen: str
) -> None:
    """What is collected is gone or whole, what is signed bears a whole signature, and all else is as it was."""
    made = trial(operation)
    folder = made.fresh()
    killed = Outcome(signal=9, fired=True)
    assert made.state_problems(folder, killed) == []
    (folder / "adapters" / file).write_bytes(b"half")
    assert seen in made.state_problems(folder, killed)
