"""What is reported as done survives a power cut, and nothing unflushed ever gets its last name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults.checks import Trial
from faults.operations import OPERATIONS, registry_of
from faults.power import unsafe_at_the_end, unsafe_renames
from faults.shim import Call, Kind

PUBLISHING = [name for name in OPERATIONS if name.startswith("publish")]
WRITTEN = [Call("mkdir", "/r/.staging-1"), Call("open", "/r/.staging-1/f"), Call("write", "/r/.staging-1/f")]
FLUSHED = [Call("fsync", "/r/.staging-1/f"), Call("fsync", "/r/.staging-1")]
MOVED = [Call("rename", "/r/.staging-1", "/r/1.0.0"), Call("fsync", "/r")]


def calls_of(trial: Trial) -> list[Call]:
    return trial.server.calls(trial.fresh(), Kind.CHANGE)


def flushes_of(trial: Trial) -> dict[str, list[int]]:
    """The numbers of the flushes of files, of directories before the rename, and of directories after it."""
    calls = calls_of(trial)
    renamed = [call.name for call in calls].index("rename")
    found: dict[str, list[int]] = {"file": [], "directory": [], "after": []}
    for at, call in enumerate(calls):
        if call.name == "fsync":
            is_file = "." in call.path.rpartition("/")[2].lstrip(".")
            found["after" if at > renamed else "file" if is_file else "directory"].append(at + 1)
    return found


@pytest.mark.parametrize("operation", OPERATIONS)
def test_everything_is_flushed_before_it_is_renamed_and_before_success(
    trial: Callable[[str], Trial], operation: str
) -> None:
    calls = calls_of(trial(operation))
    assert unsafe_renames(calls) == []
    assert unsafe_at_the_end(calls) == []


@pytest.mark.parametrize(
    ("calls", "renames", "end"),
    [
        (WRITTEN + FLUSHED + MOVED, [], []),
        (WRITTEN + FLUSHED[1:] + MOVED, ["the bytes of /r/.staging-1/f"], ["the bytes of /r/1.0.0/f"]),
        (WRITTEN + FLUSHED[:1] + MOVED, ["the entry /r/.staging-1/f"], ["the entry /r/1.0.0/f"]),
        (WRITTEN + FLUSHED + MOVED[:1], [], ["the entry /r/1.0.0"]),
        ([Call("mkdir", "/r"), *WRITTEN, *FLUSHED, *MOVED], [], ["the entry /r"]),
    ],
)
def test_a_missing_flush_is_seen(calls: list[Call], renames: list[str], end: list[str]) -> None:
    assert unsafe_renames(calls) == renames
    assert unsafe_at_the_end(calls) == end


@pytest.mark.parametrize("operation", PUBLISHING)
def test_nothing_that_was_not_flushed_is_published(trial: Callable[[str], Trial], operation: str) -> None:
    made = trial(operation)
    flushes = flushes_of(made)
    assert min(len(numbers) for numbers in flushes.values()) > 0
    for number in flushes["file"] + flushes["directory"]:
        folder = made.fresh()
        assert made.server.act(folder, "input/output error once", number).error
        assert made.state(folder) == made.before


def test_a_failed_flush_after_the_rename_is_told_and_the_same_version_is_found_again(
    trial: Callable[[str], Trial],
) -> None:
    made = trial("publish a next version")
    (number,) = flushes_of(made)["after"]
    folder = made.fresh()
    outcome = made.server.act(folder, "input/output error once", number)
    assert outcome.error
    assert "It is in place and whole" in outcome.error.message
    assert registry_of(folder).verify("child@1.1.0").ok

    again = made.server.calls(folder, Kind.CHANGE)
    assert Call("fsync", str(folder / "adapters" / "child")) in again
    assert not [call for call in again if call.name in ("write", "rename")]
    assert [str(version) for version in registry_of(folder).versions("child")] == ["1.0.0", "1.1.0"]


def test_a_file_system_that_cannot_flush_directories_is_still_one_to_publish_on(trial: Callable[[str], Trial]) -> None:
    made = trial("publish a next version")
    flushes = flushes_of(made)
    for number in flushes["directory"] + flushes["after"]:
        assert made.server.act(made.fresh(), "it flushes no directories", number).result == "child@1.1.0"
    for number in flushes["file"]:
        assert made.server.act(made.fresh(), "it flushes no directories", number).error


def test_a_file_system_that_cannot_lock_directories_is_still_one_to_publish_on(trial: Callable[[str], Trial]) -> None:
    made = trial("publish a next version")
    locked = [call.name == "flock" and ".staging-" in call.path for call in calls_of(made)]
    folder = made.fresh()
    outcome = made.server.act(folder, "it locks no directories", locked.index(True) + 1)
    assert outcome.result == "child@1.1.0"
    assert not list(folder.rglob(".staging-*"))
