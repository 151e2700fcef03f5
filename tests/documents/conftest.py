from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.documents.environment import prepared


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment in which a page's commands run, with the process that runs them alive."""
    with prepared(tmp_path_factory.mktemp("cache")) as environment:
        yield environment
