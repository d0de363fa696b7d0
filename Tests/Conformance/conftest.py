"""The node that the tests of conformance share: none of them may leave it in another state than it was."""

import pytest

import weir
from stage import Stage
from weir import pytest_runtest_makereport, workspace  # noqa: F401  (pytest finds them by name)


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    """A node in front of a recording origin."""
    space = weir.Workspace(tmp_path_factory.mktemp("conformance"))
    try:
        yield Stage(space)
    finally:
        space.close()
