"""The process in which readers meet hostile files: what they do there is watched, bounded and told to the parent."""

from __future__ import annotations

import faulthandler
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import torch

from motioncopy.errors import MotionCopyError
from tests.fuzz import bait, files
from tests.fuzz.broken import reader_of

#: What an input may take at most.
SECONDS, BYTES = 20.0, 2 * 2**30
# Room beyond that, in which too much is measured before it is stopped.
_ADDRESSES = BYTES + 4 * 2**30
_FILE_BYTES = 2**30

_STARTS = {
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.startfile", "pty.spawn",
    "subprocess.Popen", "socket.connect", "socket.bind", "socket.sendto", "webbrowser.open",
}  # fmt: skip
# Which of an event's arguments are the paths that it changes.
_CHANGES = {
    "os.mkdir": (0,), "os.rename": (0, 1), "os.remove": (0,), "os.rmdir": (0,), "os.link": (1,), "os.symlink": (1,),
    "os.truncate": (0,), "os.chmod": (0,), "os.chown": (0,), "os.utime": (0,), "shutil.rmtree": (0,),
    "shutil.copyfile": (1,), "shutil.move": (0, 1), "os.setxattr": (0,), "os.mkfifo": (0,), "os.mknod": (0,),
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Verdict:
    """How a reader took an input.

    Attributes:
        kind: A name of :data:`KINDS`.
        detail: The refusal, or what went wrong, with its traceback.
        doubt: What is poor about a refusal: it names no file, say.
        megabytes: Of memory, at most.
    """

    kind: str
    detail: str = ""
    doubt: str = ""
    megabytes: int = 0


#: The last six are offences.
KINDS = ("accepted", "refused", "uncaught", "crashed", "hang", "too large", "code run", "outside")
OFFENCES = KINDS[2:]


class _Watch:
    """An audit hook, which stays for the life of its process; what it notices, it also prevents."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.on = os.path.realpath(scratch), False
        self.ran: list[str] = []
        self.wrote: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        self.on = False  # what follows raises events, too
        try:
            if event in _STARTS:
                self.ran.append(f"{event} {arguments!r:.300}")
                raise PermissionError(f"fuzzing: {event}")
            if event == "exec" and bait.WORD in f"{arguments[0].co_names}{arguments[0].co_consts}":
                self.ran.append(f"exec {arguments[0].co_consts!r:.300}")
                raise PermissionError("fuzzing: code of a file")
            changed = [arguments[k] for k in _CHANGES.get(event, ())]
            if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
                changed = [arguments[0]]
            for path in changed:
                if self._is_outside(path):
                    self.wrote.append(f"{event} {path!a:.300}")
                    raise PermissionError(f"fuzzing: {path!a:.300} is outside")
        finally:
            self.on = True

    def find_spec(self, name: str, *_: object) -> None:
        """Asked, as the first finder of modules, for every module that is imported."""
        if self.on and name in bait.MODULES:
            self.ran.append(f"import {name}")
            raise ImportError(f"fuzzing: {name}")

    def _is_outside(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # a descriptor, which was opened before
        try:
            real = os.path.realpath(os.fsdecode(path))
        except (OSError, ValueError):
            return False  # no path
        return not real.startswith((self.scratch + os.sep, "/dev/", "/proc/")) and real != self.scratch


def trace_file(base: Path) -> Path:
    """Where the stack is written when the child crashes, or is asked by SIGUSR1."""
    return base.with_suffix(".trace")


def serve(connection: Connection, base: Path) -> None:
    """Reads inputs ``(reader, files)`` until the connection is closed, and sends a :class:`Verdict` of each.

    Args:
        connection: To the parent.
        base: An empty folder. Everything that is written must be written to ``scratch`` in it.
    """
    scratch, outside = base / "scratch", base / "outside"
    for folder in (scratch / "home", scratch / "tmp", outside):
        folder.mkdir(parents=True)
    (outside / "marker").write_text("untouched")
    os.environ.update(HOME=str(scratch / "home"), TMPDIR=str(scratch / "tmp"), PATH="", MOTIONCOPY_LIMITS="")
    tempfile.tempdir = os.environ["TMPDIR"]
    for name in ("XDG_CACHE_HOME", "TORCH_HOME", "MPLCONFIGDIR", "MOTIONCOPY_WEIGHTS"):
        os.environ[name] = str(scratch / "home" / name)
    # As `python -m` in a folder with strangers' files would have it.
    sys.path.insert(0, "")
    (scratch / f"{bait.MODULE}.py").write_text(f"open({str(outside / 'imported')!r}, 'w').close()")
    trace = trace_file(base).open("w")
    faulthandler.enable(trace)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    addresses = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + _ADDRESSES
    for limit, most in ((resource.RLIMIT_AS, addresses), (resource.RLIMIT_FSIZE, _FILE_BYTES),
                        (resource.RLIMIT_CORE, 0)):  # fmt: skip
        resource.setrlimit(limit, (most, most))
    watch = _Watch(scratch)
    sys.addaudithook(watch)
    sys.meta_path.insert(0, watch)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    before = _listing(base)
    connection.send(None)  # ready
    while True:
        try:
            reader, given = connection.recv()
        except EOFError:
            return
        faulthandler.register(signal.SIGUSR1, trace, all_threads=False)  # anew: Lightning takes handlers away
        verdict = _read(reader, given, scratch, watch)
        now = _listing(base)
        if now != before:
            verdict = Verdict("outside", f"found changed outside of the scratch folder: {sorted(now ^ before)}")
            before = now
        connection.send(verdict)


def _read(reader: str, given: files.Files, scratch: Path, watch: _Watch) -> Verdict:
    place = scratch / "given"
    place.mkdir()
    files.write(given, place)
    os.chdir(scratch)
    watch.ran, watch.wrote = [], []
    bait.called.clear()
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory counts from here
    refusal: BaseException | None = None
    try:
        watch.on = True
        reader_of(reader).read(place)
    except BaseException as error:  # noqa: BLE001 -- what it is decides
        refusal = error
    watch.on = False
    kind, detail, doubt = "accepted", "", ""
    if isinstance(refusal, MotionCopyError):
        kind, detail, doubt = "refused", f"{type(refusal).__name__}: {refusal}", _doubt(str(refusal), given)
    elif refusal is not None:
        kind, detail = "uncaught", "".join(traceback.format_exception(refusal, limit=-12, chain=False))
    megabytes = _peak() // 2**20
    if megabytes * 2**20 > BYTES:
        kind, detail = "too large", f"{megabytes} MiB; {detail}"
    if watch.wrote:
        kind, detail = "outside", "; ".join(watch.wrote)
    if watch.ran or bait.called:
        kind, detail = "code run", "; ".join(watch.ran + bait.called)
    del refusal
    gc.collect(1)
    for folder in (place, scratch / "tmp"):
        _empty(folder)
    place.rmdir()
    return Verdict(kind, detail, doubt, megabytes)


def _doubt(message: str, given: files.Files) -> str:
    """What is poor about a message."""
    if "weights_only" in message:
        return "advises on weights_only"
    if any("\ud800" <= c <= "\udfff" for c in message) and "".join(given).isprintable():
        return "cannot be printed"
    if len(message) > 3000:
        return f"is {len(message)} characters long"
    parts = {part for name in given for part in Path(name).parts} | {"given"}
    if not any(part in message or Path(part).stem in message for part in parts):
        return "names no file"
    return ""


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _listing(base: Path) -> set[str]:
    """What lies beside the scratch folder, with its content."""
    found = {entry.name for folder in (base, base / "scratch") for entry in os.scandir(folder)}
    for entry in os.scandir(base / "outside"):
        found.add(f"outside/{entry.name}: {Path(entry).read_text(errors='replace') if entry.is_file() else 'no file'}")
    return found


def _peak() -> int:
    """The most memory that was held since the peak was reset, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0
