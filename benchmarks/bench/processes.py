"""Starts ``motioncopy fit``, ``test`` and ``predict`` as processes of their own, and says how one ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from motioncopy.errors import TrainingError
from motioncopy.files.lock import HELD


def call(command: str, config: Path, run: Path, lock: int, *options: str) -> None:
    """Runs a command to its end.

    Args:
        command: ``fit``, ``test`` or ``predict``.
        config: The resolved config.
        run: The run's folder.
        lock: The file descriptor of the folder's lock, see :func:`motioncopy.files.lock.alone`.
        options: Further options of the command.

    Raises:
        TrainingError: If it fails, with the reason that it left.
        KeyboardInterrupt: If it was interrupted.
    """
    failure = run / "failure.txt"
    failure.unlink(missing_ok=True)
    # A process of its own: under DDP, Lightning runs the command line again in every child.
    # -P: a file of the working directory must not stand in for a module.
    arguments = [
        sys.executable, "-P", "-m", "benchmarks.cli", command, "--config", str(config), "--run", str(run), *options,
    ]  # fmt: skip
    # It holds the lock too: should this process be killed, nobody starts the same fit beside the one that goes on.
    environment = os.environ | {HELD: str(run.resolve())}
    done = subprocess.run(arguments, check=False, pass_fds=(lock,), env=environment)
    if done.returncode:
        reason = failure.read_text() if failure.is_file() else f"the process of rank 0 {ending(done.returncode)}"
        if done.returncode == 130:
            raise KeyboardInterrupt
        raise TrainingError(
            f"{command} failed", found=reason.strip(), remedy="mend it and call again: what is done is kept"
        )


def ending(status: int) -> str:
    """What an exit status says of a process that could not say anything itself."""
    if status >= 0:
        return f"ended with exit status {status}; its last lines are above"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    cause = ", as the system does where memory runs out" if name == "SIGKILL" else ""
    return f"was ended by {name}{cause}"
