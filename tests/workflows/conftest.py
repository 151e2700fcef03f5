from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.workflows.project import Project


@pytest.fixture(scope="session")
def trained(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A unified adapter, trained on the way, with two children; never changed, only copied."""
    project = Project.begun(tmp_path_factory.mktemp("project"), tiny_base_dir)
    with contextlib.chdir(project.folder):
        for persona in ("ann", "bob"):
            project.train("child", f"persona={persona}", "adapter.r=2")
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the trained project, which is also the current folder."""
    return trained.copied(tmp_path, monkeypatch)
