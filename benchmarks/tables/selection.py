"""Which records can stand in one table, and which of them are behind which of its rows.

Records that differ by nothing but the seed are one row; of records that do not even differ by that, the newest finished
one counts. A row of a paper's table has records of one config only, the newest one: see :func:`runs_of`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.bench import config_stack
from benchmarks.papers import UNSTATED, PrintedRow, PrintedTable
from motioncopy.errors import ConfigError, RecordError
from motioncopy.metrics.catalogue import METRICS, definition
from motioncopy.metrics.definition import split_key
from motioncopy.records import Record

#: The trivial baselines: a method that does not beat them has learnt nothing.
BASELINES = ("static", "nearest", "aligned")
#: Kinds of trials, in the order of tables.
KINDS = ("reconstruction", "imitation")


def in_order(records: Iterable[Record]) -> list[Record]:
    """Records, the oldest first."""
    return sorted(records, key=lambda r: (r.created, r.id))


def check_one(what: str, found: set[str], remedy: str) -> None:
    """Refuses records of several, and none at all.

    Raises:
        RecordError: Then; the message lists those found.
    """
    if not found:
        raise RecordError("there is no record to make a table of", remedy="run `motioncopy bench` first")
    if len(found) > 1:
        raise RecordError(f"a table holds one {what}", found=", ".join(sorted(found)), remedy=remedy)


def metrics_of(records: Sequence[Record]) -> list[str]:
    """The metric keys of the records, in the catalogue's order; the whole catalogue where there is no record.

    Raises:
        RecordError: If they are of several versions of one metric, or unknown.
    """
    found = {key for r in records for key in r.results.missing}
    found |= {key for r in records for by_key in r.results.aggregates.values() for key in by_key}
    versions: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in found:
        versions[split_key(key)[:2]].add(key)
    for keys in versions.values():
        if len(keys) > 1:
            raise RecordError(
                "a table holds one version of a metric",
                found=", ".join(sorted(keys)),
                remedy="score the kept outputs of the older runs again",
            )
    try:
        for key in found:
            definition(key)
    except ConfigError as error:
        raise RecordError(f"a record holds an {error.what}", expected=error.expected) from error
    return [key for key in METRICS if key in found or not found]


def check_trials(records: Sequence[Record]) -> None:
    """Means over different trials cannot be compared.

    Raises:
        RecordError: If records of one subject were scored on different trials of a kind.
    """
    seen: dict[tuple[str | None, str], tuple[set[str], str]] = {}
    for r in records:
        for kind in r.results.aggregates:
            trials = {name for name, trial in r.results.trials.items() if trial.kind == kind}
            first, other = seen.setdefault((r.subject, kind), (trials, r.id))
            if trials != first:
                raise RecordError(
                    f"records {other} and {r.id} were scored on different trials ({kind})",
                    expected=f"{len(first)} trials",
                    found=f"{len(trials)} trials, of which {len(trials - first)} are others",
                    remedy="run one of them again on the protocol's present trials",
                )


def rows_of(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """Label and runs of every row: baselines last, an ablation behind its method.

    Args:
        records: Of one table, the oldest first.

    Returns:
        A row's runs are one a seed: the newest finished one, or a failed one where none has finished.
    """
    groups: dict[tuple[Any, ...], dict[int | None, Record]] = defaultdict(dict)
    for r in records:
        names = (r.method in BASELINES, r.method, r.variant or "", r.preset or "", r.overlays, r.ablation or "")
        runs = groups[(r.subject or "", *names, _settings(r))]
        if r.status == "finished" or r.seed not in runs or runs[r.seed].status == "failed":
            runs[r.seed] = r
    rows = [list(groups[key].values()) for key in sorted(groups)]
    labels = [(runs[0].subject, _label(runs[0])) for runs in rows]
    # Rows of one name differ in their configs, which a reader must see.
    return [
        (label if labels.count((subject, label)) == 1 else f"{label} #{runs[0].config_sha256[:6]}", runs)
        for (subject, label), runs in zip(labels, rows, strict=True)
    ]


def _label(record: Record) -> str:
    details = ", ".join(part for part in (record.variant, record.preset, *record.overlays) if part)
    label = f"{record.method} ({details})" if details else record.method
    return f"{label}: {record.ablation}" if record.ablation else label


def _settings(record: Record) -> str:
    """The config without the seed, as a key: what the runs of one row have in common."""
    return json.dumps(_seedless(record.config), sort_keys=True)


def _seedless(config: Any) -> Any:
    if isinstance(config, dict):
        return {k: _seedless(v) for k, v in config.items() if k not in ("seed", "seed_everything")}
    return [_seedless(v) for v in config] if isinstance(config, list) else config


@dataclass(frozen=True)
class ComparedRow:
    """One row of a comparison with a paper.

    Attributes:
        section: Printed by the ``paper``, measured besides (``other``), or a trivial ``baseline``.
        method: The method's folder, or another system's name.
        printed: The paper's row, if it has one.
        compared: Index of the row that has the part which this one lacks; ``None`` for whole methods.
    """

    section: str
    label: str
    method: str
    variant: str | None
    ablation: str | None = None
    printed: PrintedRow | None = None
    compared: int | None = None

    def holds(self, record: Record) -> bool:
        """Whether a record is one of this row."""
        return (record.method, record.variant, record.ablation) == (self.method, self.variant, self.ablation)


@dataclass(frozen=True)
class Runs:
    """What was run of a row.

    Attributes:
        finished: One for each subject and seed.
        failed: Those of subjects and seeds of which no run finished.
        aside: How many finished runs of older configs do not count.
    """

    finished: tuple[Record, ...] = ()
    failed: tuple[Record, ...] = ()
    aside: int = 0


@dataclass(frozen=True)
class Candidates:
    """The records of one data set that can stand beside a paper's table.

    Attributes:
        data: The data set.
        records: All of one protocol, and of one preset, variant and set of overlays for each method.
        elsewhere: For each method the data sets, protocols and regimes that it was run on besides.
        changed: Records that do not count, since a user changed values of their configs by hand.
    """

    data: str
    records: tuple[Record, ...] = ()
    elsewhere: dict[str, list[str]] = field(default_factory=dict)
    changed: tuple[Record, ...] = ()

    @property
    def protocol(self) -> str | None:
        """The one of all records."""
        return self.records[0].protocol if self.records else None

    @property
    def preset(self) -> str | None:
        """The one of all records that have one; the baselines are not trained."""
        return next((r.preset for r in self.records if r.preset), None)


def candidates(table: PrintedTable, records: Iterable[Record], data: str) -> Candidates:
    """The records of a data set that can stand beside a paper's table.

    Args:
        table: The paper's table.
        records: Any; those of papers, of the other regime and of methods that have no row here are left aside, and so
            are runs with values that were changed by hand: they are no longer what a paper's row says.
        data: The data set.

    Raises:
        RecordError: If those that are left are of several protocols, presets, or metric versions, or one method was run
            in several settings.
    """
    ours = in_order(r for r in records if r.kind == "measured")
    named = {row.method for row in table.rows} | set(BASELINES)
    if table.kind != "ablation":
        named |= {r.method for r in ours}
    fitting = [r for r in ours if r.data == data and r.regime == table.regime and r.method in named]
    changed = tuple(r for r in fitting if r.changed)
    found = [r for r in fitting if not r.changed]
    elsewhere: dict[str, list[str]] = defaultdict(list)
    for r in ours:
        place = f"{r.data} ({r.protocol}, {r.regime})"
        if not r.changed and r not in found and place not in elsewhere[r.method]:
            elsewhere[r.method].append(place)
    if found:
        check_one("protocol", {r.protocol for r in found}, "choose one with --protocol")
        trained = [r for r in found if r.method not in BASELINES]
        if trained:
            check_one("preset", {r.preset or "no preset" for r in trained}, "choose one with --preset")
        _check_overlays(trained)
        finished = [r for r in found if r.status == "finished"]
        metrics_of(finished)
        check_trials(finished)
    return Candidates(data, tuple(found), dict(elsewhere), changed)


def _check_overlays(records: Sequence[Record]) -> None:
    settings: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for r in records:
        settings[r.method, r.variant].add(", ".join(r.overlays) or "none")
    for (method, variant), found in settings.items():
        if len(found) > 1:
            raise RecordError(
                f"a table holds one set of overlays of a method, and {method} ({variant}) was run with several",
                found="; ".join(sorted(found)),
                remedy="choose one with --overlays",
            )


def compared_rows(table: PrintedTable, found: Iterable[Candidates]) -> list[ComparedRow]:
    """The rows: the paper's in its order, then other methods that were run (for a comparison), then the baselines."""
    labels = [row.label for row in table.rows]
    rows = [
        ComparedRow(
            "paper",
            row.label,
            row.method,
            "paper" if row.ours else None,
            row.ablation,
            row,
            labels.index(table.compared_with(row).label) if row.ablation is not None else None,
        )
        for row in table.rows
    ]
    shown = {(row.method, row.variant) for row in rows}
    ran = sorted({(r.method, r.variant or "") for one in found for r in one.records if r.ablation is None})
    for method, variant in ran:
        if method not in BASELINES and (method, variant) not in shown and table.kind != "ablation":
            label = f"{method} ({variant})" if variant else method
            rows.append(ComparedRow("other", label, method, variant or None))
    present = dict(ran)
    return rows + [ComparedRow("baseline", name, name, present[name] or None) for name in BASELINES if name in present]


def runs_of(row: ComparedRow, found: Candidates) -> Runs:
    """The newest finished run of each subject and seed, all of the newest config of that subject."""
    groups: dict[str | None, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for r in filter(row.holds, found.records):
        groups[r.subject][_settings(r)].append(r)
    finished: list[Record] = []
    failed: list[Record] = []
    aside = 0
    for by_config in groups.values():
        # Records come in the order of their making: the group that was added to last is the newest.
        done = [[r for r in group if r.status == "finished"] for group in by_config.values()]
        newest = max(done, key=lambda group: (group[-1].created, group[-1].id) if group else ("", ""))
        chosen = {r.seed: r for r in newest}
        finished += chosen.values()
        aside += sum(map(len, done)) - len(newest)
        broken = {r.seed: r for group in by_config.values() for r in group if r.status == "failed"}
        failed += [r for seed, r in broken.items() if seed not in chosen]
    return Runs(tuple(finished), tuple(failed), aside)


def not_run(row: ComparedRow, found: Candidates) -> str:
    """Why there is no record of a row."""
    if row.method not in config_stack.methods():
        planned = row.printed is not None and row.printed.ours
        return "this project does not have the method yet" if planned else "not a method of this project"
    if row.ablation is not None and row.ablation not in config_stack.ablations(row.method):
        return "this project does not have the overlay yet"
    if found.data == UNSTATED:
        return "the paper does not say on which data it measured this"
    if any(map(row.holds, found.changed)):
        return f"run on {found.data} with changed values only (overrides)"
    elsewhere = found.elsewhere.get(row.method, ())
    # An ablation may be missing where the whole method is not.
    besides = f"; run on {', '.join(elsewhere)}" if elsewhere and row.ablation is None else ""
    return f"not run on {found.data}{besides}"
