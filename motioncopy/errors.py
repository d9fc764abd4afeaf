"""Errors that say what is wrong, where, and what to do about it."""

from __future__ import annotations

from typing import Self

#: Characters of one part of a message.
_MOST = 1000


class MotionCopyError(Exception):
    """Base of every error that a user can mend.

    Args:
        what: What is wrong, naming the file or the field.
        expected: What would have been right.
        found: What stood there instead.
        remedy: What the user can do.
    """

    def __init__(
        self,
        what: str,
        *,
        expected: object | None = None,
        found: object | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what, self.expected, self.found, self.remedy = what, expected, found, remedy
        parts = [_short(what).rstrip(".") + "."]
        if expected is not None:
            parts.append(f"Expected: {_short(expected)}.")
        if found is not None:
            parts.append(f"Found: {_short(found)}.")
        if remedy is not None:
            parts.append(f"Remedy: {remedy.rstrip('.')}.")
        super().__init__(" ".join(parts))

    def of(self, path: object, remedy: str | None = None) -> Self:
        """The same error, with the name of the file that it comes of.

        Args:
            path: The file.
            remedy: What the user can do, where the error itself does not say it.
        """
        if str(path) in self.what:
            return self
        remedy = self.remedy or remedy
        return type(self)(f"{path}: {self.what}", expected=self.expected, found=self.found, remedy=remedy)


def _short(value: object) -> str:
    """As much of a value as one reads: a file can hold a name of a megabyte."""
    text = str(value)
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def own_cause(error: BaseException) -> MotionCopyError | None:
    """The error of ours at the root of one that a library wrapped; config parsers wrap what constructors raise."""
    seen: set[int] = set()
    found: MotionCopyError | None = None
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, MotionCopyError):
            found = current
        current = current.__cause__ or current.__context__
    return found


class BatchError(MotionCopyError):
    """A tensor of a batch has a wrong shape, type or range."""


class SkeletonError(MotionCopyError):
    """An unknown skeleton, joint or view."""


class VideoError(MotionCopyError):
    """A video that cannot be read or written."""


class ClipError(MotionCopyError):
    """A prepared clip that is missing, damaged, half written or of another schema."""


class PerceptionError(MotionCopyError):
    """A perception backend that found nothing, or cannot run."""


class DataError(MotionCopyError):
    """A data set that is not there, is not whole, or is too small for what is asked."""


class ConfigError(MotionCopyError):
    """A configuration that contradicts itself or names what does not exist."""


class CheckpointError(MotionCopyError):
    """A checkpoint that is damaged, or belongs to another method or another person."""


class WeightsError(MotionCopyError):
    """Pretrained weights that are missing or are not what their hash promises."""


class TrainingError(MotionCopyError):
    """A training that cannot go on, for instance because a loss is not finite."""


class BusyError(MotionCopyError):
    """What is asked for is being done by another process."""


class ClusterError(MotionCopyError):
    """A cluster that cannot be reached, or does not take a job."""


class RecordError(MotionCopyError):
    """A record that does not follow the schema, or records that cannot stand in one table."""
