"""Makes the fixtures and the failure report of Tests/Support/weir.py known to pytest."""

from weir import pytest_runtest_makereport, workspace  # noqa: F401  (pytest finds them by name)
