"""Runs what a benchmark would start as a process of its own in this one: starting Python costs seconds a time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.cli import main


class Started:
    """Stands for ``subprocess.run``.

    Attributes:
        commands: What was started: ``fit`` and ``test``, in order.
    """

    def __init__(self) -> None:
        self.commands: list[str] = []

    def __call__(
        self, arguments: Sequence[str], *, env: dict[str, str], **_: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs ``python -P -m benchmarks.cli COMMAND ...`` here."""
        assert list(arguments[1:4]) == ["-P", "-m", "benchmarks.cli"]
        self.commands.append(arguments[4])
        with pytest.MonkeyPatch.context() as patch:
            for name in env.keys() - os.environ.keys():
                patch.setenv(name, env[name])
            return subprocess.CompletedProcess(list(arguments), main(list(arguments[4:])))
