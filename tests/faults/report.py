"""How many faults a run injected, told at its end, also where several workers injected them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

INJECTED = pytest.StashKey[Counter[tuple[str, str]]]()
_KEY = "injected_faults"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's counts to the process that reports."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output[_KEY] = [[*key, count] for key, count in session.config.stash.get(INJECTED, Counter()).items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker counted."""
    counted = node.config.stash.setdefault(INJECTED, Counter())
    for operation, fault, count in getattr(node, "workeroutput", {}).get(_KEY, ()):
        counted[operation, fault] += count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was injected."""
    counted = config.stash.get(INJECTED, Counter())
    if not counted:
        return
    terminalreporter.section(f"{counted.total()} faults injected")
    for operation in dict.fromkeys(operation for operation, _ in counted):
        by_fault = {fault: count for (each, fault), count in counted.items() if each == operation}
        told = ", ".join(f"{fault} {count}" for fault, count in by_fault.items())
        terminalreporter.write_line(f"{sum(by_fault.values()):5d}  {operation}: {told}")
