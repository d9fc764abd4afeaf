"""What tests of the benchmark share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.bench import processes
from tests.benchmarks.in_process import Started


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Runs what a bench job would start as a process of its own in this one, and knows what that was."""
    calls = Started()
    monkeypatch.setattr(processes, "subprocess", SimpleNamespace(run=calls))
    return calls
