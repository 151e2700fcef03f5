"""The faults are real, and the checks see harm: what could not fail would prove nothing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.checks import Trial
from faults.forked import Outcome
from faults.operations import SAVED, registry_of
from faults.shim import FAULTS, Kind

PUBLISH = "publish a next version"


@pytest.fixture
def publishing(trial: Callable[[str], Trial]) -> Trial:
    return trial(PUBLISH)


def at_first_write(trial: Trial, fault: str) -> Outcome:
    """What becomes of the operation when its first write meets a fault."""
    calls = trial.server.calls(trial.fresh(), Kind.CHANGE)
    return trial.server.act(trial.fresh(), fault, [call.name for call in calls].index("write") + 1)


def test_the_calls_of_a_publication_are_counted(publishing: Trial) -> None:
    calls = publishing.server.calls(publishing.fresh(), Kind.CHANGE)
    names = Counter(call.name for call in calls)
    files = len(list((publishing.pristine / "adapters" / "child" / "1.0.0").iterdir()))
    assert names["write"] == files
    assert names["open"] == names["close"] == files + 1  # The registry's lock is no folder, and is opened for writing.
    assert (names["mkdir"], names["flock"], names["rename"]) == (1, 2, 1)
    # The staging folder, the name's folder, its entry in the registry, and the entry of the registry.
    assert names["fsync"] == files + 4
    (rename,) = [call for call in calls if call.name == "rename"]
    assert ".staging-" in rename.path
    assert rename.other.endswith("/child/1.1.0")
    reads = Counter(call.name for call in publishing.server.calls(publishing.fresh(), Kind.READ))
    assert min(reads[name] for name in ("open", "read", "stat", "opendir", "readdir")) > 0


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if fault.kills])
def test_a_kill_kills(publishing: Trial, fault: str) -> None:
    assert at_first_write(publishing, fault).signal == 9


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("no space once", "disk is full"),
        ("no space from here on", "disk is full"),
        ("short write, then no space", "disk is full"),
        ("input/output error once", "Input/output error"),
        ("done, but reported as failed", "Input/output error"),
    ],
)
def test_an_error_is_met_and_told(publishing: Trial, fault: str, says: str) -> None:
    outcome = at_first_write(publishing, fault)
    assert outcome.fired
    assert outcome.error
    assert (outcome.error.kind, says in outcome.error.message) == ("RegistryError", True)


def test_a_short_write_is_short_and_is_finished(publishing: Trial) -> None:
    assert at_first_write(publishing, "kill -9 in the middle of a write").signal == 9
    (torn,) = publishing.work.rglob(".staging-*/adapter_config.json")
    whole = publishing.pristine / "adapters" / "child" / "1.0.0" / "adapter_config.json"
    assert torn.stat().st_size == whole.stat().st_size // 2
    assert at_first_write(publishing, "short write").result == "child@1.1.0"


def test_a_fault_that_is_never_met_is_a_problem(publishing: Trial) -> None:
    (problem,) = publishing.problems("no space once", 10_000)
    assert "never met" in problem


def _damage(folder: Path) -> None:
    (folder / "adapters" / "child" / "1.0.0" / "README.md").write_bytes(b"x")


def _remove(folder: Path) -> None:
    shutil.rmtree(folder / "adapters" / "child" / "1.0.0")


def _half(folder: Path) -> None:
    shutil.copytree(folder / "adapters" / "child" / "1.0.0", folder / "adapters" / "child" / "1.1.0")
    (folder / "adapters" / "child" / "1.1.0" / "README.md").unlink()


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        (_damage, "child@1.0.0 was lost or changed"),
        (_remove, "child@1.0.0 was lost or changed"),
        (_half, "child@1.1.0 does not verify"),
    ],
)
def test_harm_is_seen(publishing: Trial, harm: Callable[[Path], None], seen: str) -> None:
    outcome = publishing.server.act(publishing.fresh(), "input/output error once", 1)
    folder = publishing.fresh()
    harm(folder)
    assert any(seen in problem for problem in publishing.state_problems(folder, outcome))


def test_a_mixture_of_saves_is_seen(trial: Callable[[str], Trial]) -> None:
    saving = trial("save over a save of other settings")
    folder = saving.fresh()
    outcome = saving.server.act(folder)
    assert saving.state_problems(folder, outcome) == []
    shutil.copy(saving.pristine / SAVED / "adapter_config.json", folder / SAVED)
    assert saving.state_problems(folder, outcome) == ["it was reported as saved and is not"]
    killed = Outcome(signal=9, fired=True)
    (problem,) = saving.state_problems(folder, killed, "kill -9 before")
    assert "adapter_config.json is old, adapter_model.safetensors is new" in problem


def test_the_registry_still_answers_while_nothing_is_armed(publishing: Trial) -> None:
    folder = publishing.fresh()
    assert publishing.server.act(folder).result == "child@1.1.0"
    assert registry_of(folder).verify("child@1.1.0").ok
