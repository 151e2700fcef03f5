"""What is said in two places, since no tool could read it from one, is the same in both."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

import adapterkit

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def matrices() -> dict[str, list[str]]:
    """Every list that a job of the workflow is run over, by its name."""
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    return {name: each for job in jobs for name, each in job.get("strategy", {}).get("matrix", {}).items()}


def test_pre_commit_pins_the_versions_of_the_dev_extra() -> None:
    declared = project()["optional-dependencies"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    pinned = {pin for hook in hooks for pin in hook.get("additional_dependencies", ())}
    assert pinned
    assert pinned <= set(declared["dev"])


def test_torch_is_bounded_for_ci_alone() -> None:
    (torch,) = [each for each in project()["dependencies"] if each.startswith("torch")]
    assert "<" not in torch
    assert "\ntorch<" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_what_is_cited_is_the_version_that_is_built() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == adapterkit.__version__
    assert citation["license"] == project()["license"]


def test_the_workflow_runs_every_python_and_every_extra_that_is_declared() -> None:
    classifiers = project()["classifiers"]
    versions = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", "\n".join(classifiers), re.MULTILINE)
    assert matrices()["python"] == versions
    assert matrices()["extra"] == list(project()["optional-dependencies"])


def test_the_workflow_pins_actions_by_commit() -> None:
    used = re.findall(r"uses: (.*)", WORKFLOW.read_text(encoding="utf-8"))
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", each)] == []
