"""`adapterkit verify`: one line for each problem, or what was checked."""

from __future__ import annotations

from typing import Any

from adapterkit.artifacts import VerificationReport
from adapterkit.artifacts.signatures import WAYS_OUT
from adapterkit.cli.output import printable
from adapterkit.manifest import CHECKSUMS_FILE
from adapterkit.problem import MISMATCH, UNSIGNED
from adapterkit.texts import counted


def findings(report: VerificationReport) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "ref": str(report.ref) if report.ref else None,
        "path": str(report.path),
        "ok": report.ok,
        "problems": [{"file": problem.file, "what": problem.what, "kind": problem.kind} for problem in report.problems],
        "digest": report.digest,
        "files": report.files,
        "tensors": report.tensors,
        "ancestors": report.ancestors,
        "ancestors_in": str(report.ancestors_in) if report.ancestors_in else None,
        "signatures": list(report.signatures),
        "signers": list(report.signers),
    }


def print_findings(report: VerificationReport) -> None:
    """Print the problems, or how much was found intact."""
    for problem in report.problems:
        print(printable(str(problem)))
    name = str(report.ref or report.path)
    if report.ancestors_in:
        print(printable(f"Its ancestors were looked for in the registry {report.ancestors_in}"))
    if report.problems and report.agrees:
        print(printable(_unsigned(report, name)))
        return
    if not report.ok:
        print(printable(f"NOT intact: {name}: {counted(len(report.problems), 'problem')} in {report.path}"))
        return
    unchecked = report.manifest.lineage.parents if report.manifest and not report.ancestors else ()
    print(
        f"intact: {printable(name)}: {counted(report.files, 'file')}, {counted(report.tensors, 'tensor')} and "
        f"{counted(report.ancestors, 'ancestor')} checked"
    )
    if report.signers:
        others = f", its {counted(report.ancestors, 'ancestor')} by one of the given keys" if report.ancestors else ""
        print(f"signed by {', '.join(key[:16] for key in report.signers)}{others}")
    elif report.signatures:
        print(f"signed (not checked: give --key): {', '.join(report.signatures)}")
    if unchecked:
        refs = ", ".join(str(member.ref) for member in unchecked)
        print(f"Not checked: the ancestors {refs}. Verify it in its registry, by its ref, to include them.")


def _unsigned(report: VerificationReport, name: str) -> str:
    kind = MISMATCH if any(problem.kind == MISMATCH for problem in report.problems) else UNSIGNED
    where = next((problem.file.partition("/")[0] for problem in report.problems if problem.kind == kind), "")
    ref = where if "@" in where else name  # An ancestor's come under its ref.
    state = {
        UNSIGNED: f"NOT signed by a given key: {ref}: every file is as {CHECKSUMS_FILE} lists it",
        MISMATCH: f"The signature does NOT match a given key: {ref}",
    }
    return f"{state[kind]}, in {report.path}. {WAYS_OUT[kind].format(ref=ref)}"
