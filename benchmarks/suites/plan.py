"""From suites to runs: methods x data x people x ablations x seeds, each once, whole methods before their ablations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmarks.bench.config_stack import data_sets
from benchmarks.bench.jobs import Job, baselines
from benchmarks.suites.estimate import Estimate, Estimator
from benchmarks.suites.suite import Suite, SuiteRow
from motioncopy.errors import ConfigError, DataError, RecordError
from motioncopy.records import Record

Role = Literal["whole", "ablation", "baseline"]


@dataclass(frozen=True)
class Options:
    """How suites are run.

    Attributes:
        data: In place of the suites' own data sets; empty: those.
        people: Whom personal methods show: names, ``("all",)``, or empty: the data set's own choice.
        seeds: Of whole methods.
        row_seeds: Of ablations.
        roots: Where data sets lie, by name.
        fixed: Further arguments of :class:`benchmarks.bench.jobs.Job`, the same for all runs.
    """

    preset: str = "quick"
    data: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    row_seeds: tuple[int, ...] = (0,)
    runs: Path = Path("runs")
    roots: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """One run of a plan.

    Attributes:
        person: Whom a personal method shows.
        after: Ids of jobs whose stages it may take over, and which therefore come first.
        done: Its record, if it has finished.
        suites: Names of those that want it.
    """

    job: Job
    label: str
    role: Role
    person: str | None
    after: tuple[str, ...]
    done: Record | None
    estimate: Estimate
    suites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All runs of some suites, in order, and what cannot be run.

    Attributes:
        runs: Each once, however many suites want it.
        left_out: What cannot be run (methods, data sets), by the reason.
    """

    suites: tuple[Suite, ...]
    options: Options
    runs: tuple[Planned, ...]
    left_out: Mapping[str, Sequence[str]]

    @property
    def open(self) -> list[Planned]:
        """Those that have not finished."""
        return [run for run in self.runs if run.done is None]


def plan(suites: Sequence[Suite], options: Options, estimator: Estimator) -> Plan:
    """Expands suites to runs.

    Raises:
        ConfigError: If nothing can be run: the message has each reason.
        DataError: If a data set is not where it is said to be, or a person is not in it.
    """
    found: dict[str, Planned] = {}
    left_out: dict[str, dict[str, None]] = defaultdict(dict)
    for suite in suites:
        for method, why in suite.left_out:
            left_out[why][method] = None
        for data in options.data or suite.data:
            try:
                for run in _runs(suite, data, options, estimator):
                    known = found.get(run.job.id, run)
                    found[run.job.id] = replace(known, suites=tuple(dict.fromkeys((*known.suites, suite.name))))
            except _NoDataError as error:
                left_out[str(error)][data] = None
    if not found:
        raise ConfigError(
            "nothing of this can be run",
            found="; ".join(f"{', '.join(what)}: {why}" for why, what in left_out.items()),
            remedy="DATA=puppets (--data puppets), SAMPLE=1 (--sample), or DATA_ROOT='NAME=DIR' (--data-root)",
        )
    return Plan(tuple(suites), options, tuple(found.values()), {why: list(what) for why, what in left_out.items()})


class _NoDataError(Exception):
    """A data set that cannot be run on, for a reason that does not concern the others."""


def _runs(suite: Suite, data: str, options: Options, estimator: Estimator) -> Iterator[Planned]:
    """The runs of one suite on one data set: of each person, baselines, then whole methods, then ablations."""
    jobs = {row: _job(row, data, options) for row in suite.rows}
    by_regime: dict[str, list[SuiteRow]] = {}
    for row, job in jobs.items():
        by_regime.setdefault(_regime(job), []).append(row)
    for regime, rows in by_regime.items():
        people = _people(jobs[rows[0]], options) if regime == "personal" else [(None, None)]
        for person, shown in people:
            of_person = {row: replace(jobs[row], person=person) for row in rows}
            for run in _of_person(rows, of_person, options, estimator):
                yield replace(run, person=shown)


def _of_person(
    rows: Sequence[SuiteRow], jobs: Mapping[SuiteRow, Job], options: Options, estimator: Estimator
) -> Iterator[Planned]:
    whole = [row for row in rows if not row.overlays]
    for seed in options.seeds:
        for row in whole or rows[:1]:
            for baseline in baselines(replace(jobs[row], seed=seed)):
                yield _planned(baseline, baseline.stack.method, "baseline", (), estimator)
    # Of each method and seed the first run, whose stages the others may take over.
    first: dict[tuple[str, int], str] = {}
    for row in [*whole, *(row for row in rows if row.overlays)]:
        for seed in options.row_seeds if row.overlays else options.seeds:
            job = replace(jobs[row], seed=seed)
            leader = first.setdefault((row.method, seed), job.id)
            after = (leader,) if leader != job.id else ()
            yield _planned(job, row.label, "ablation" if row.overlays else "whole", after, estimator)


def _planned(job: Job, label: str, role: Role, after: tuple[str, ...], estimator: Estimator) -> Planned:
    try:
        done = job.record()
    except RecordError:
        done = None  # running it says what is wrong with its record, and the others go on
    return Planned(job, label, role, None, after, done, estimator.of(job, done))


def _job(row: SuiteRow, data: str, options: Options) -> Job:
    if data not in data_sets():
        raise _NoDataError("not a data set of this project, and not public")
    root, changed = options.roots.get(data), bool(row.overrides)
    job = Job(
        row.stack(data, options.preset), options.runs, data_root=root, overrides=row.overrides or None,
        changed=changed, **options.fixed,
    )  # fmt: skip
    if root is None:
        try:
            job.unprepared_data()
        except DataError:
            raise _NoDataError("no DATA_ROOT=NAME=DIR says where its data lie") from None
    return job


def _regime(job: Job) -> str:
    return str(job.config["data"].get("init_args", {}).get("regime", "personal"))


def _people(job: Job, options: Options) -> list[tuple[str | None, str | None]]:
    """Whom a personal method is trained for: as a job names them (``None``: the data set's choice), and their names."""
    data = job.unprepared_data()
    if not options.people:
        return [(None, data.person)]
    known = data.people()
    for name in options.people if options.people != ("all",) else ():
        if name not in known:
            raise ConfigError(
                f"there is no PEOPLE={name} in {job.stack.data}", expected=f"of {', '.join(known)}, or all"
            )
    # The data set's choice is the same run, whether it is asked for by name or not.
    chosen = known if options.people == ("all",) else options.people
    return [(None if name == data.person else name, name) for name in chosen]


def prepare(plan: Plan) -> None:
    """Prepares the data of all runs that are open, so that what is wrong with them shows before anything is run.

    Raises:
        ConfigError: If the config of a data set is wrong.
        DataError: If the data are not there.
    """
    ready: set[str] = set()
    for run in plan.open:
        config = str(run.job.config["data"])
        if config not in ready:
            run.job.data()
            ready.add(config)
