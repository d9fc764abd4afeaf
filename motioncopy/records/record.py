"""What a run leaves behind: one JSON file, written once, complete enough to be believed or doubted.

The dataclasses are the schema: every field is checked when one is made and when one is read. A record of ``kind``
"measured" tells of a run of this project, one of "external" of frames that were made elsewhere and scored here; one of
"paper" holds the cells of one row of a paper's table. The file ends with a SHA-256 over all of its content, so that an
edit is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from motioncopy.errors import ConfigError, RecordError
from motioncopy.files.documents import read_json
from motioncopy.files.schema import checked, encode, validated
from motioncopy.metrics.definition import split_key
from motioncopy.metrics.scores import Aggregate, ClipScores, Score, aggregate
from motioncopy.records.provenance import Code, Device, check_portable, redacted

#: Of the fields below; raised by any change that an older reader would misread.
SCHEMA = 1

Kind = Literal["reconstruction", "imitation"]

#: Among a record's ``configs``, behind the files' names: its user changed values by hand.
OVERRIDES = "overrides"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSIONED = re.compile(r"[^@\s]+@[^@\s]+")
_CREATED = "%Y-%m-%dT%H:%M:%SZ"


@checked(RecordError)
@dataclass(frozen=True)
class TrialScores:
    """One trial of the protocol: its kind, and a score for each metric key (none where there is no truth)."""

    kind: Kind
    scores: dict[str, Score] = field(default_factory=dict)


@checked(RecordError)
@dataclass(frozen=True)
class Results:
    """All scores of a run.

    Attributes:
        trials: By trial id.
        aggregates: For each kind of trial, the metric keys' means over trials.
        missing: For each metric key that was not computed, the reason.
    """

    trials: dict[str, TrialScores] = field(default_factory=dict)
    aggregates: dict[Kind, dict[str, Aggregate]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        clips: Mapping[Kind, Sequence[ClipScores]],
        missing: Mapping[str, str] | None = None,
        sets: Mapping[Kind, Mapping[str, Aggregate]] | None = None,
    ) -> Results:
        """Sums up what the evaluator found.

        Args:
            clips: The scored trials of each kind.
            missing: The evaluator's own ``missing`` and the reasons of its ``sets``.
            sets: For each kind, the values of the evaluator's ``sets``.

        Raises:
            RecordError: If a trial is there twice.
        """
        reasons = dict(missing or {})
        for scores in (s for group in clips.values() for s in group):
            reasons |= scores.missing
        trials = {s.clip: TrialScores(kind, s.scores) for kind, group in clips.items() for s in group}
        if len(trials) < sum(map(len, clips.values())):
            raise RecordError("a trial was scored twice", remedy="give the trials of both kinds different ids")
        return cls(
            trials,
            {kind: aggregate(group) | dict((sets or {}).get(kind, {})) for kind, group in clips.items() if group},
            # The reason for absent weights says where to put them, on this machine.
            {key: redacted(reason, {}) for key, reason in reasons.items()},
        )


@checked(RecordError)
@dataclass(frozen=True)
class Costs:
    """What a run took; ``None`` and absent stages where it was not measured.

    Attributes:
        train_seconds: Training time of each stage, whichever run trained it: see :attr:`StageTraining.taken_over`.
        steps: Optimisation steps (batches) of each stage.
        peak_memory_bytes: The most that was held at once in training or test: of the GPU where one was used, else of
            the process.
        parameters: Parameters of the networks that generate.
        fps: Frames generated a second, as the test generates them: some at once, the first ones not counted.
        fps_single: Frames generated a second one at a time, after a warm-up: what a live use would see.
        fps_compiled: The same with networks that ``torch.compile`` has translated.
        wall_seconds: What the run took by the clock, from the start of its training to the end of its scoring, and what
            a logger uploads meanwhile. Stages that were taken over from another run, or done before an interruption,
            are not in it.
        energy_joules: Of training and test, as :mod:`motioncopy.records.energy` reads it: of all that ran on the GPUs
            in use, so that it is an upper bound where something else ran too. Of one machine, where several trained.
            ``None`` too where the training was not made in one go by this run: some of it was resumed, or taken over
            from another run.
        energy_source: What was read, such as ``nvml (1 GPU)``; only the same can be compared.
        device: What generated, at the ``fps`` above; ``None`` in older records.
    """

    train_seconds: dict[str, float] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    parameters: int | None = None
    fps: float | None = None
    fps_single: float | None = None
    fps_compiled: float | None = None
    wall_seconds: float | None = None
    energy_joules: float | None = None
    energy_source: str | None = None
    device: Device | None = None


@checked(RecordError)
@dataclass(frozen=True)
class StageTraining:
    """How a stage took its optimiser steps.

    Attributes:
        batch: Windows a batch, as configured.
        effective_batch: Windows that one optimiser step was worth, over all processes and parts: ``batch``, or one for
            each process where that is more.
        processes: Processes that shared it.
        accumulate: Parts in which each process took its share, one after the other.
        learning_rates: Of each optimiser at the start, generators first. They are the config's: no number of processes
            scales them.
        precision: Lightning's name: ``32-true``, ``bf16-mixed``, ``16-mixed``.
        device: What it was trained on, its last part where it was interrupted; ``None`` in older records.
        taken_over: Whether another run trained it, so that a sum over runs has it there already. In older records
            ``False`` says nothing.
    """

    batch: int
    effective_batch: int
    processes: int
    accumulate: int
    learning_rates: tuple[float, ...]
    precision: str
    device: Device | None = None
    taken_over: bool = False


@checked(RecordError)
@dataclass(frozen=True)
class PaperRow:
    """Where a paper prints the values.

    Attributes:
        paper: Short name of the paper.
        table: As the paper numbers it.
        row: As the paper labels it.
        flags: Doubts about the values: copied from another paper, typing error corrected, data not public.
    """

    paper: str
    table: str
    row: str
    flags: tuple[str, ...] = ()


@checked(RecordError)
@dataclass(frozen=True)
class Record:
    """One run of one method (or baseline) on one data set, or one row of a paper's table.

    Attributes:
        id: Unique; the file's name. See :func:`new_id`.
        created: UTC, ``2025-01-31T12:00:00Z``. See :func:`now`.
        kind: ``measured``, ``paper``, or ``external``: frames that were made elsewhere, scored here.
        method: Its folder's name; the trivial baselines are ``static``, ``nearest`` and ``aligned``.
        data: The data set's name.
        regime: One model a person, or one for all.
        protocol: ``"<id>@<version>"``.
        status: Whether the run came to its end.
        reason: Why a run failed.
        variant: What is computed: ``paper``, ``released``.
        preset: How large and how long: ``quick``, ``full``.
        overlays: Further overlays of the stages, such as ``stabilised``.
        ablation: The ablation's name, or ``None`` for the whole method.
        subject: The one person whom all trials show; ``None`` where they show several.
        split: The data split, ``"<id>@<version>"``.
        seed: Of the run.
        configs: Names of the stacked configs, in order; at last :data:`OVERRIDES`, where that is so.
        config: The resolved config, as :func:`motioncopy.records.provenance.portable` gives it.
        code: See :func:`motioncopy.records.provenance.code`.
        packages: See :func:`motioncopy.records.provenance.packages`.
        device: What it was trained on, in its last stage where these differ (see :class:`StageTraining`); what
            generated, where nothing was trained. Of a failed run, what was there to be used.
        networks: Pretrained or fixed random networks of losses, perception and metrics: name to SHA-256 or seed.
        results: The scores.
        costs: The costs.
        training: How each stage was trained.
        paper: Where a paper prints it; for ``kind`` "paper" only.
        schema: :data:`SCHEMA`.

    Raises:
        RecordError: If a value is malformed, something the kind needs is absent, or an absolute path is in it.
    """

    id: str
    created: str
    kind: Literal["measured", "paper", "external"]
    method: str
    data: str
    regime: Literal["personal", "general"]
    protocol: str
    status: Literal["finished", "failed"] = "finished"
    reason: str | None = None
    variant: str | None = None
    preset: str | None = None
    overlays: tuple[str, ...] = ()
    ablation: str | None = None
    subject: str | None = None
    split: str | None = None
    seed: int | None = None
    configs: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    code: Code | None = None
    packages: dict[str, str] = field(default_factory=dict)
    device: Device | None = None
    networks: dict[str, str] = field(default_factory=dict)
    results: Results = field(default_factory=Results)
    costs: Costs = field(default_factory=Costs)
    training: dict[str, StageTraining] = field(default_factory=dict)
    paper: PaperRow | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        where = f"record {self.id[:80]}"
        self._check(_ID.fullmatch(self.id), "id", "letters, digits, '.', '_' and '-'")
        self._check(_is_time(self.created), "created", "UTC as 2025-01-31T12:00:00Z")
        self._check(self.schema == SCHEMA, "schema", f"{SCHEMA}; other versions need another release of motioncopy")
        self._check(_VERSIONED.fullmatch(self.protocol), "protocol", "<id>@<version>")
        self._check(self.split is None or _VERSIONED.fullmatch(self.split), "split", "<id>@<version>")
        self._check((self.status == "failed") == (self.reason is not None), "reason", "a text if, and only if, failed")
        self._check((self.kind == "paper") == (self.paper is not None), "paper", "given if, and only if, kind is paper")
        needed = {"measured": ("seed", "split", "code", "device"), "external": ("code", "device"), "paper": ()}
        for name in needed[self.kind]:
            self._check(getattr(self, name) is not None, name, f"given for a record of kind {self.kind}")
        aggregates = [a for by_key in self.results.aggregates.values() for a in by_key]
        for key in {*self.results.missing, *aggregates, *(k for t in self.results.trials.values() for k in t.scores)}:
            try:
                split_key(key)
            except ConfigError as error:
                found = str(error.found)[:200]
                raise RecordError(f"{where}: {error.what}", expected=error.expected, found=found) from error
        check_portable(encode(self), "", where)

    def _check(self, right: object, name: str, expected: str) -> None:
        if not right:
            found = repr(getattr(self, name))[:200]
            raise RecordError(f"record {self.id[:80]}: field {name} is wrong", expected=expected, found=found)

    @property
    def changed(self) -> bool:
        """Whether values were changed by hand: it does not stand for a paper's row, or for the method as it is."""
        return OVERRIDES in self.configs

    @property
    def config_sha256(self) -> str:
        """SHA-256 of the canonical JSON of the resolved config."""
        return content_digest(self.config)

    def to_dict(self) -> dict[str, Any]:
        """The content of the record's file."""
        content: dict[str, Any] = encode(self)
        content["config_sha256"] = self.config_sha256
        content["sha256"] = content_digest(content)
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], source: str = "record") -> Record:
        """The record that :meth:`to_dict` wrote.

        Args:
            content: What the file holds.
            source: What an error message calls it.

        Raises:
            RecordError: If a field is missing, unknown or malformed, or a hash does not fit.
        """
        plain = dict(content)
        # Another schema would fail in a hundred ways; say the one that matters.
        found = plain.get("schema")
        if type(found) is not int or found != SCHEMA:
            remedy = f"read it with the release that wrote it{_writer(plain)}, or run it again"
            if type(found) is int and found > SCHEMA:
                remedy = "read it with a newer release of motioncopy"
            what = f"{source}: field schema is wrong"
            raise RecordError(what, expected=SCHEMA, found=repr(found)[:80], remedy=remedy)
        found, right = plain.pop("sha256", None), content_digest(plain)
        if found != right:
            raise RecordError(
                f"{source}: field sha256 does not fit the content",
                expected=right,
                found=repr(found)[:80],
                remedy="restore the file: records are never edited",
            )
        digest = plain.pop("config_sha256", None)
        record = validated(cls, plain, error=RecordError, what=source)
        if digest != record.config_sha256:
            found = repr(digest)[:80]
            raise RecordError(f"{source}: field config_sha256 is wrong", expected=record.config_sha256, found=found)
        return record


def _writer(content: Mapping[str, Any]) -> str:
    code = content.get("code")
    return f" ({code['version'][:40]})" if isinstance(code, dict) and isinstance(code.get("version"), str) else ""


def now() -> str:
    """The present time as ``created`` holds it."""
    return datetime.now(UTC).strftime(_CREATED)


def new_id(created: str, *names: str) -> str:
    """An id that sorts by time and collides with none: ``20250131T120000Z-fakemotion-puppets-3fa2c1``."""
    words = [re.sub(r"[^A-Za-z0-9._]+", "_", name) for name in names if name]
    return "-".join([created.replace("-", "").replace(":", ""), *words, secrets.token_hex(3)])


def write(record: Record, folder: Path) -> Path:
    """Writes a record as ``<folder>/<id>.json``; never over another, and whole or not at all.

    Returns:
        The file.

    Raises:
        RecordError: If there is a record of this id already, or the file cannot be written.
    """
    target = folder / f"{record.id}.json"
    partial = folder / f".{record.id}-{secrets.token_hex(6)}.partial"
    text = json.dumps(record.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("x", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            # A hard link appears at once and, unlike a rename, fails where another writer was first.
            target.hardlink_to(partial)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        if target.exists():
            raise RecordError(f"{target} exists", remedy="records are never overwritten: take a new id") from error
        raise RecordError(
            f"{target} cannot be written", found=error.strerror, remedy="free space or choose another folder"
        ) from error
    return target


def read(path: Path) -> Record:
    """Reads and checks a record.

    Raises:
        RecordError: If the file is not a whole, unedited record of this schema, or not named after its id.
    """
    record = parse(path)
    if record.id != path.stem:
        raise RecordError(f"{path}: field id differs from the file's name", expected=path.stem, found=record.id[:80])
    return record


def parse(path: Path) -> Record:
    """Reads and checks a record whose file may have any name, such as a run's ``record.json``.

    Raises:
        RecordError: If the file is not a whole, unedited record of this schema.
    """
    content = read_json(path, error=RecordError, remedy="restore the file, or run it again")
    if not isinstance(content, dict):
        raise RecordError(f"{path} is not a record", expected="a JSON object", found=type(content).__name__)
    return Record.from_dict(content, str(path))


def read_all(folder: Path) -> list[Record]:
    """All records below a folder, the oldest first; none if there is no such folder.

    Raises:
        RecordError: If one of them is not a whole, unedited record, or two have the same id.
    """
    records = sorted((read(path) for path in folder.rglob("*.json")), key=lambda r: (r.created, r.id))
    ids = [r.id for r in records]
    if len(set(ids)) < len(ids):
        raise RecordError(f"{folder} holds two records of one id", found=max(ids, key=ids.count))
    return records


def content_digest(content: Any) -> str:
    """The SHA-256 of plain values: of their JSON with sorted keys and nothing between."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _is_time(text: str) -> bool:
    try:
        return datetime.strptime(text, _CREATED).strftime(_CREATED) == text
    except ValueError:
        return False
