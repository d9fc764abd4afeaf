"""Runs what a benchmark would start as a process of its own in this one: starting Python costs seconds a time."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

from benchmarks.cli import main


class Started:
    """Stands for ``subprocess.run``.

    Attributes:
        commands: What was started: ``fit`` and ``test``, in order.
    """

    def __init__(self) -> None:
        self.commands: list[str] = []

    def __call__(self, arguments: Sequence[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        """Runs ``python -m benchmarks.cli COMMAND ...`` here."""
        assert list(arguments[1:3]) == ["-m", "benchmarks.cli"]
        self.commands.append(arguments[3])
        return subprocess.CompletedProcess(list(arguments), main(list(arguments[3:])))
