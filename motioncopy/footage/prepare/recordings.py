"""Preparing any number of recordings, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from motioncopy.errors import ConfigError, DataError, MotionCopyError
from motioncopy.files.schema import is_plain_name
from motioncopy.footage import open_footage
from motioncopy.footage.prepare.backends import PARTS, Backends
from motioncopy.footage.prepare.job import MAX_SIZE, Job, Prepared, Recording


def prepare(videos: Sequence[str | Path], out: str | Path, **options: Any) -> list[Prepared]:
    """Prepares footage, all of it, and raises afterwards if a piece failed.

    Args:
        videos: As :func:`prepare_each` takes them.
        out: The folder for the clips.
        **options: As :func:`prepare_each` takes them.

    Returns:
        One result a video, in order.

    Raises:
        MotionCopyError: What went wrong with the first video that failed; and what :func:`prepare_each` raises.
    """
    results = list(prepare_each(videos, out, **options))
    for result in results:
        if result.error is not None:
            raise result.error
    return results


def prepare_each(
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    fps: float | None = None,
    person: str | None = None,
    **options: Any,
) -> Iterator[Prepared]:
    """Prepares footage piece by piece; one that fails does not keep the others from being prepared.

    Args:
        videos: Video files, folders of images and HDF5 stacks (:func:`motioncopy.footage.open_footage`).
        out: The folder for the clips. Each goes to ``out/<id>/``, where the id is a folder's name, or a file's without
            its suffix; all must differ.
        fps: Frames per second of images and stacks; videos bear their own.
        person: Who is in the videos; by default the name that a clip bears already, else the clip's id.
        **options: As :func:`prepare_recordings` takes them.

    Yields:
        One result a video, as soon as it is done.

    Raises:
        ConfigError: If the arguments are wrong, or two videos have one id.
        PerceptionError: If the default backends are not installed.
    """
    paths = [_named(Path(video)) for video in videos]
    recordings = [Recording(_id(path), partial(open_footage, path, fps=fps), person) for path in paths]
    yield from prepare_recordings(recordings, out, **options)


def prepare_recordings(
    recordings: Sequence[Recording],
    out: str | Path,
    *,
    max_size: int = MAX_SIZE,
    parts: Sequence[str] = ("mask",),
    force: bool = False,
    backends: Backends | None = None,
    overlap: bool = True,
) -> Iterator[Prepared]:
    """Prepares footage of any kind, each piece with its own backends.

    Args:
        recordings: With different ids; each becomes ``out/<id>/``.
        out: The folder for the clips.
        max_size: Longest side of stored frames in pixels; frames are never enlarged.
        parts: Those of :data:`PARTS` that are wanted (the mask always is). Parts that a clip has already stay.
        force: Whether clips are made anew that need not be.
        backends: For recordings that name none; :meth:`Backends.default` by default.
        overlap: Whether the stages work at the same time, in threads; the clips are the same either way.

    Yields:
        One result a recording, as soon as it is done.

    Raises:
        ConfigError: If the arguments are wrong, or two recordings have one id.
        PerceptionError: If the default backends are needed and not installed, or ``backends`` cannot make the parts.
    """
    _check_arguments([r.id for r in recordings], max_size, parts)
    if backends is None and any(r.backends is None for r in recordings):
        backends = Backends.default()
    if backends is not None:
        backends.check(parts)
    with _bar() as bar:
        for r in recordings:
            yield _run(Job(r, Path(out) / r.id, max_size, ("mask", *parts), force, backends, overlap, bar))


def _run(job: Job) -> Prepared:
    """What became of one recording, whatever is wrong with it."""
    name = job.recording.id
    failure: MotionCopyError
    try:
        if not is_plain_name(name) or name.startswith("."):
            raise DataError(
                f"{name!a} is no name for a clip",
                expected="a name without / and signs that cannot be shown, that does not start with a dot",
                remedy="rename what is to be prepared",
            )
        return job.run()
    except MotionCopyError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 -- whatever a file does to what sees or stores it, the others are prepared
        found = f"{type(error).__name__}: {error}"
        failure = DataError(f"{name} cannot be prepared", found=found, remedy="`motioncopy check` says more of it")
    return Prepared(name, job.clip, "failed", reason=str(failure), error=failure)


def _named(path: Path) -> Path:
    """The path, such that it ends in a name."""
    return path.resolve() if path.name in ("", "..") else path


def _id(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _check_arguments(ids: Sequence[str], max_size: int, parts: Sequence[str]) -> None:
    if max_size < 16:
        raise ConfigError("max_size is too small", expected="at least 16 pixels", found=max_size)
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise ConfigError("unknown parts", expected=", ".join(PARTS), found=", ".join(sorted(unknown)))
    twice = sorted(name for name, count in Counter(ids).items() if count > 1)
    if twice:
        raise ConfigError(
            "several videos would become one clip",
            found=", ".join(twice),
            remedy="rename them, or prepare them into different folders",
        )


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("frames, left"),
        TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
