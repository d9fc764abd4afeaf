from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motioncopy.errors import ClipError, SkeletonError
from motioncopy.files.lock import locked
from motioncopy.footage.clips import Backend, Clip, Source, clear_left_overs
from motioncopy.footage.clips.writer import ArrayFile
from tests.motioncopy.footage.clips.making import SIZE, arrays, background, new_writer, write_clip


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_writer(tmp_path / "dance") as writer:  # noqa: PT012
        writer.append(**arrays(3))
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_clip_needs_frames_and_a_background(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no frame"), new_writer(tmp_path / "dance") as writer:
        writer.set_background(background())
    with pytest.raises(ClipError, match="no background"), new_writer(tmp_path / "dance") as writer:
        writer.append(**arrays(3))
    assert names(tmp_path) == []


def test_what_is_there_is_replaced_only_if_asked_and_only_if_it_is_a_clip(tmp_path: Path) -> None:
    write_clip(tmp_path / "dance", 3)
    with pytest.raises(ClipError, match=r"there already.*--force"):
        write_clip(tmp_path / "dance", 5)
    with pytest.raises(KeyboardInterrupt), new_writer(tmp_path / "dance", overwrite=True):
        raise KeyboardInterrupt
    assert len(Clip.open(tmp_path / "dance")) == 3
    write_clip(tmp_path / "dance", 5, overwrite=True)
    clip = Clip.open(tmp_path / "dance")
    clip.verify()
    assert len(clip) == 5
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(ClipError, match="is no clip, so it is not replaced"):
        write_clip(tmp_path / "thesis", overwrite=True)
    assert names(tmp_path) == ["dance", "thesis"]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.motioncopy.footage.clips.making import arrays, background, new_writer
with new_writer(Path(sys.argv[1])) as writer:
    writer.append(**arrays(5))
    writer.set_background(background())
    if sys.argv[2] == "while finishing":
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["while appending", "while finishing"])
def test_a_killed_writer_leaves_no_clip_and_the_next_one_clears_up(tmp_path: Path, when: str) -> None:
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", KILLED, str(tmp_path / "dance"), when]
    assert subprocess.run(command, cwd=root, check=False, timeout=60).returncode == -signal.SIGKILL
    assert not (tmp_path / "dance").exists()
    lock, left_over = sorted(tmp_path.iterdir())
    assert lock.name == ".dance.lock"
    assert left_over.name.startswith(".dance.partial-")
    with pytest.raises(ClipError, match="half written"):
        Clip.open(left_over)
    write_clip(tmp_path / "dance")
    assert names(tmp_path) == ["dance"]


HOLDS = """
import sys
from pathlib import Path
from motioncopy.files.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_holds(clip: Path) -> Iterator[None]:
    command = [sys.executable, "-c", HOLDS, str(clip)]
    root = Path(__file__).parents[4]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        yield
        holder.stdin.close()


def test_what_another_process_writes_stays(tmp_path: Path) -> None:
    living, dead, other = (
        tmp_path / ".a.partial-1",
        tmp_path / f".b.partial-{os.getppid()}",
        tmp_path / ".c.partial-notes",
    )
    for folder in (living, dead, other):
        folder.mkdir()
    (tmp_path / ".e.lock").touch()
    with another_process_holds(tmp_path / "a"), new_writer(tmp_path / "d") as writer:
        clear_left_overs(tmp_path)
        writer.append(**arrays(2))
        writer.set_background(background())
        assert names(tmp_path) == sorted([living.name, ".a.lock", other.name, ".d.lock", f".d.partial-{os.getpid()}"])
        with pytest.raises(ClipError, match="being written already"):
            new_writer(tmp_path / "d").__enter__()
    assert len(Clip.open(tmp_path / "d")) == 2


def test_waits_for_another_process_and_does_not_replace_its_clip(tmp_path: Path) -> None:
    entered = threading.Event()

    def write() -> None:
        with new_writer(tmp_path / "d") as writer:
            entered.set()
            writer.append(**arrays(2))
            writer.set_background(background())

    thread = threading.Thread(target=write)
    with another_process_holds(tmp_path / "d"):
        thread.start()
        assert not entered.wait(0.3)
    thread.join(10)
    assert entered.is_set()
    assert names(tmp_path) == ["d"]


def test_a_lock_need_not_be_waited_for(tmp_path: Path) -> None:
    with another_process_holds(tmp_path / "a"), locked(tmp_path / "a", wait=False) as ours:
        assert not ours
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("owner", "function"), [(ArrayFile, "append"), (os, "fsync"), (Path, "rename")], ids=["append", "finish", "replace"]
)
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, function: str) -> None:
    write_clip(tmp_path / "dance", 3)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(owner, function, full)
    with pytest.raises(ClipError, match=r"dance: the disk is full.*Remedy: make room"):
        write_clip(tmp_path / "dance", 5, overwrite=True)
    assert names(tmp_path) == ["dance"]
    Clip.open(tmp_path / "dance").verify()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((3, 12, 9, 3), np.uint8)}, "images do not fit.*Found: uint8"),
        ({"images": np.zeros((3, *SIZE, 3), np.float32)}, "images do not fit.*Expected: uint8"),
        ({"images": np.zeros((12, 10, 3), np.uint8)}, "images do not fit"),
        ({"joints": np.zeros((3, 18, 3))}, r"joints do not fit.*\(3, 25, 3\)"),
        ({"joints": np.zeros((2, 25, 3))}, "joints do not fit"),
        ({"joints": np.zeros((3, 25, 3), np.int64)}, "joints do not fit.*floating point"),
        ({"joints": np.full((3, 25, 3), np.nan)}, "not finite"),
        ({"joints": np.full((3, 25, 3), 1.5)}, "confidences of joints"),
        ({"mask": np.zeros((3, *SIZE), bool)}, "mask do not fit"),
        ({"face": np.zeros((3, 70, 3))}, "other parts"),
        ({"parsing": np.zeros((3, *SIZE), np.uint8)}, "other parts.*Expected: images, joints, mask"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with new_writer(tmp_path / "dance") as writer:
        writer.append(**arrays(4))
        with pytest.raises(ClipError, match=message):
            writer.append(**(arrays(3) | change))
        with pytest.raises(ClipError, match="background"):
            writer.set_background(np.zeros((3, 3, 3), np.uint8))
        writer.append(**arrays(3))
        writer.set_background(background())
    assert len(Clip.open(tmp_path / "dance")) == 7  # what was refused left no trace


def test_parts_that_were_announced_must_come(tmp_path: Path) -> None:
    with new_writer(tmp_path / "dance", parts=("mask", "parsing")) as writer:
        with pytest.raises(ClipError, match="Expected: images, joints, mask, parsing"):
            writer.append(**arrays(3))
        writer.append(**arrays(3), parsing=np.zeros((3, *SIZE), np.uint8))
        writer.set_background(background())
    assert Clip.open(tmp_path / "dance").parts == {"mask", "parsing"}


def test_wrong_arguments(tmp_path: Path) -> None:
    for changes in ({"fps": 0}, {"size": (0, 5)}, {"parts": ("parsing",)}, {"parts": ("mask", "depth")},
                    {"source": Source("/mnt/ada/dance.mp4", "abc")}):  # fmt: skip
        with pytest.raises(ClipError):
            new_writer(tmp_path / "dance", **changes)
    with pytest.raises(SkeletonError):
        new_writer(tmp_path / "dance", skeleton="octopus")
    with pytest.raises(ClipError, match="backends are named for parts"):
        write_clip(tmp_path / "dance", backends={"joint": Backend("seer", "1")})
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    size = (128, 128)
    images, mask = np.zeros((16, *size, 3), np.uint8), np.zeros((16, *size), np.uint8)
    joints = np.zeros((16, 25, 3), np.float32)
    with new_writer(tmp_path / "long", size=size) as writer:
        writer.append(images, joints, mask)
        before = resident()
        for _ in range(40):  # 40 MiB
            writer.append(images, joints, mask)
        assert resident() - before < 8
        writer.set_background(images[0])
