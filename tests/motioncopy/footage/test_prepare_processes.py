"""Runs of ``prepare`` that are killed, and several at a time on one folder."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from motioncopy.footage.clips import Clip
from motioncopy.footage.prepare import Backends, prepare
from motioncopy.footage.video import VideoWriter
from tests.motioncopy.footage.perception.figures import KnownPose, walk

FRAMES, SIZE = 40, (48, 64)
ROOT = Path(__file__).parents[3]

# What it does in the middle of the clip stands in the third argument.
RUN = """
import os, signal, sys, time
from pathlib import Path
from motioncopy.footage.prepare import Backends, prepare_each
from tests.motioncopy.footage.perception.figures import KnownPose, walk

folder, name, then = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

class Interrupted(KnownPose):
    def start(self, footage):
        super().start(footage)
        self.video = footage.path.stem

    def __call__(self, images):
        if self.next and self.video == name and then == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.next and self.video == name and then == "waits":
            (folder / "begun").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)
        return super().__call__(images)

_, joints, masks = walk(40, (48, 64))
videos = sorted(folder.glob("*.mp4"))
for result in prepare_each(videos, folder / "clips", backends=Backends(Interrupted(joints, masks))):
    print(result.name, result.outcome, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images, _, _ = walk(FRAMES, SIZE)
    for name in ("ann", "bea"):
        with VideoWriter(tmp_path / f"{name}.mp4", 25, SIZE) as writer:
            writer.write(images)
    return tmp_path


def start(folder: Path, name: str, then: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(folder), name, then]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_after_a_kill_the_next_run_goes_on(folder: Path) -> None:
    killed = start(folder, "bea", "dies")
    out, _ = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert out == "ann made\n"
    assert any(name.startswith(".bea.partial-") for name in names(folder / "clips"))
    assert not (folder / "clips" / "bea").exists()
    _, joints, masks = walk(FRAMES, SIZE)
    pose = KnownPose(joints, masks)
    results = prepare([folder / "ann.mp4", folder / "bea.mp4"], folder / "clips", backends=Backends(pose))
    assert [r.outcome for r in results] == ["up to date", "made"]
    assert sum(n for n, *_ in pose.shown) == FRAMES
    assert names(folder / "clips") == ["ann", "bea"]
    Clip.open(folder / "clips" / "bea").verify()


def test_a_second_run_waits_and_finds_the_clip_up_to_date(folder: Path) -> None:
    first = start(folder, "ann", "waits")
    second = None
    try:
        deadline = time.monotonic() + 60
        while not (folder / "begun").exists():
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        second = start(folder, "nobody", "goes on")
        assert second.stderr is not None
        assert "another process prepares it" in second.stderr.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.3)
        assert not (folder / "clips" / "ann").exists()
        (folder / "go").touch()
        outs = [process.communicate(timeout=60)[0].splitlines() for process in (first, second)]
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()
    assert (outs[0][0], outs[1][0]) == ("ann made", "ann up to date")
    # Whoever comes to the other video first makes it; the other one finds it.
    assert sorted(out[1] for out in outs) == ["bea made", "bea up to date"]
    assert names(folder / "clips") == ["ann", "bea"]
    for name in ("ann", "bea"):
        clip = Clip.open(folder / "clips" / name)
        clip.verify()
        np.testing.assert_allclose(clip.joints, walk(FRAMES, SIZE)[1], atol=1e-4)
