"""What must hold after any fault, looked at from a process without the shim."""

from __future__ import annotations

import shutil
from pathlib import Path

from adapterkit.manifest import ADAPTER_CONFIG_FILE
from adapterkit.stores.staging import STAGING_PREFIX
from faults.forked import ForkServer, Outcome
from faults.operations import OPERATIONS, SAVED, registry_of
from faults.shim import FAULTS

Files = dict[str, bytes]


class Trial:
    """One operation with its untouched folder, and what stands in it before and after an undisturbed act."""

    def __init__(self, server: ForkServer, home: Path) -> None:
        self.server = server
        self.pristine, self.work, self._finished = home / "pristine", home / "work", home / "finished"
        self.on_registry, self.changes = OPERATIONS[server.operation].on_registry, OPERATIONS[server.operation].changes
        self.pristine.mkdir(parents=True)
        assert server.prepare(self.pristine).error is None
        shutil.copytree(self.pristine, self._finished)
        assert server.act(self._finished).error is None
        self.before, self.after = self.state(self.pristine), self.state(self._finished)
        self.points = {self.pointed(folder) for folder in (self.pristine, self._finished)}
        self.goal = self.pointed(self._finished)
        assert self.before != self.after or len(self.points) > 1

    def fresh(self) -> Path:
        """A true copy of the untouched folder, in the place where the last one stood."""
        if self.work.exists():
            shutil.rmtree(self.work)
        shutil.copytree(self.pristine, self.work)
        return self.work

    def state(self, folder: Path) -> dict[str, Files]:
        """What a reader can see: the files of each version, or of the saved adapter."""
        if not self.on_registry:
            return {SAVED: files_of(folder / SAVED)}
        registry = registry_of(folder)
        refs = [(name, str(version)) for name in registry.names() for version in registry.versions(name)]
        return {f"{name}@{version}": files_of(registry.path / name / version) for name, version in refs}

    def pointed(self, folder: Path) -> str | None:
        """Where the alias points that the operation moves; null when it moves none."""
        alias = OPERATIONS[self.server.operation].alias
        return str(registry_of(folder).resolve(f"child@{alias}").ref) if alias else None

    def problems(self, fault: str, number: int) -> list[str]:
        """Do the operation under a fault, then again without one; say everything that is not as it must be."""
        folder = self.fresh()
        outcome = self.server.act(folder, fault, number)
        found = [*outcome_problems(outcome, fault, folder), *self.state_problems(folder, outcome, fault)]
        again = self.server.act(folder)
        if again.error:
            found.append(f"doing it again raised {again.error}")
        else:
            found += [f"after doing it again: {what}" for what in self._final_problems(folder, again)]
        return [f"{self.server.operation}: {fault}, call {number}: {what}" for what in found]

    def state_problems(self, folder: Path, outcome: Outcome, fault: str | None = None) -> list[str]:
        """What is wrong with what can be seen now."""
        state = self.state(folder)
        if not self.on_registry:
            lasting = bool(fault and (FAULTS[fault].kills or FAULTS[fault].onward))
            return saved_problems(state[SAVED], self.before[SAVED], self.after[SAVED], outcome, lasting=lasting)
        found = [f"{ref} was lost or changed" for ref in self.before if not self._is_allowed(ref, state)]
        found += damaged(folder, state)
        if outcome.result and outcome.result not in state:
            found.append(f"{outcome.result} was reported and is not there")
        if outcome.result and self.changes and state != self.after:
            found.append("it was reported as done and is not")
        if len(state) > max(len(self.before), len(self.after)):
            found.append(f"too many versions: {', '.join(state)}")
        pointed = self.pointed(folder)
        if pointed not in self.points or (outcome.result and pointed != self.goal):
            found.append(f"the alias points at {pointed}")
        return found

    def _is_allowed(self, ref: str, state: dict[str, Files]) -> bool:
        """Whether a version is as it was, byte for byte, or as the undisturbed act leaves it, if that changes any."""
        return state.get(ref) == self.before[ref] or (self.changes and state.get(ref) == self.after.get(ref))

    def _final_problems(self, folder: Path, outcome: Outcome) -> list[str]:
        """After success: all as after an undisturbed act, and nothing of the failed one left."""
        found = self.state_problems(folder, outcome)
        if len(self.state(folder)) != len(self.after):
            found.append(f"{len(self.after)} versions are wanted, there are {', '.join(self.state(folder))}")
        return found + [f"{path} was left behind" for path in folder.rglob(f"{STAGING_PREFIX}*")]


def outcome_problems(outcome: Outcome, fault: str, folder: Path) -> list[str]:
    """Whether the process ended as it may: killed when it was, else with success or with an error that says what."""
    found = [] if outcome.fired else ["the fault was never met"]
    if bool(outcome.signal) != FAULTS[fault].kills:
        found.append(f"ended by signal {outcome.signal}")
    if outcome.error and not outcome.error.typed:
        found.append(f"raised no AdapterKitError: {outcome.error}")
    elif outcome.error and str(folder) not in outcome.error.message and "child@" not in outcome.error.message:
        found.append(f"the message does not say where: {outcome.error}")
    return found


def damaged(folder: Path, state: dict[str, Files]) -> list[str]:
    """The visible versions that do not verify."""
    reports = {ref: registry_of(folder).verify(ref) for ref in state}
    return [f"{ref} does not verify: {report.problems}" for ref, report in reports.items() if not report.ok]


def saved_problems(now: Files, before: Files, after: Files, outcome: Outcome, *, lasting: bool) -> list[str]:
    """A saved adapter is the old one or the new one, whole.

    Only where both files differ, and nobody was left to put the old ones back, may the config be missing: no reader
    takes that folder for an adapter. The weights in it are whole even so.
    """
    if outcome.result and now != after:
        return ["it was reported as saved and is not"]
    if now in (before, after):
        return []
    both_differ = all(before.get(name) != data for name, data in after.items())
    whole = all(data in (before.get(name), after.get(name)) for name, data in now.items())
    if lasting and both_differ and whole and ADAPTER_CONFIG_FILE not in now:
        return []
    return [f"neither the old adapter nor the new one: {describe(now, before, after)}"]


def describe(now: Files, before: Files, after: Files) -> str:
    """Which of the two each file is."""
    kinds = {name: "old" * (data == before.get(name)) + "new" * (data == after.get(name)) for name, data in now.items()}
    return ", ".join(f"{name} is {kind or 'neither'}" for name, kind in sorted(kinds.items())) or "no files"


def files_of(folder: Path) -> Files:
    """The bytes of each file directly in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
