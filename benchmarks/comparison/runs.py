"""Which records stand behind which row of a paper's table."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.bench import config_stack
from benchmarks.papers import UNSTATED, Row, Table
from benchmarks.tables.frame import BASELINES, check_one, check_trials, metrics_of, seedless
from motioncopy.errors import RecordError
from motioncopy.records import Record


@dataclass(frozen=True)
class Line:
    """One row of the comparison.

    Attributes:
        section: Printed by the paper, measured besides, or one of the trivial baselines.
        label: What the row is called.
        method: The method's folder, or another system's name.
        variant: What is computed.
        ablation: The overlay, or ``None`` for the whole method.
        paper: The paper's row, if it has one.
        compared: Index of the row that has the part which this one lacks; ``None`` for whole methods.
    """

    section: str
    label: str
    method: str
    variant: str | None
    ablation: str | None = None
    paper: Row | None = None
    compared: int | None = None


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

    def only(self, subjects: set[str | None]) -> Runs:
        """The finished ones of some subjects, and all that failed: no failure is passed over."""
        return replace(self, finished=tuple(r for r in self.finished if r.subject in subjects))


@dataclass(frozen=True)
class Pool:
    """The records of one data set that can stand beside a table.

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

    @property
    def overlays(self) -> tuple[str, ...]:
        """Of any method; each has one set."""
        return tuple(dict.fromkeys(name for r in self.records for name in r.overlays))


def pool(table: Table, records: Iterable[Record], data: str) -> Pool:
    """The records of a data set that can stand beside a table.

    Args:
        table: The paper's table.
        records: Any; those of papers, of the other regime and of methods that have no row here are left aside, and so
            are runs with values that were changed by hand: they are no longer what a paper's row says.
        data: The data set.

    Raises:
        RecordError: If those that are left are of several protocols, presets, or metric versions, or one method was run
            in several settings.
    """
    ours = sorted((r for r in records if r.kind == "measured"), key=lambda r: (r.created, r.id))
    named = {row.method for row in table.rows} | set(BASELINES)
    if table.kind != "ablation":
        named |= {r.method for r in ours}
    fitting = [r for r in ours if r.data == data and r.regime == table.regime and r.method in named]
    changed = tuple(r for r in fitting if r.changed)
    ours = [r for r in ours if not r.changed]
    found = [r for r in fitting if not r.changed]
    elsewhere: dict[str, list[str]] = defaultdict(list)
    for r in ours:
        if r not in found and (place := f"{r.data} ({r.protocol}, {r.regime})") not in elsewhere[r.method]:
            elsewhere[r.method].append(place)
    if found:
        check_one("protocol", {r.protocol for r in found}, "choose one with --protocol")
        trained = [r for r in found if r.method not in BASELINES]
        if trained:
            check_one("preset", {r.preset or "no preset" for r in trained}, "choose one with --preset")
        _check_settings(trained)
        finished = [r for r in found if r.status == "finished"]
        metrics_of(finished)
        check_trials(finished)
    return Pool(data, tuple(found), dict(elsewhere), changed)


def _check_settings(records: Sequence[Record]) -> None:
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


def lines(table: Table, pools: Iterable[Pool]) -> list[Line]:
    """The rows: the paper's in its order, then other methods that were run (for a comparison), then the baselines."""
    labels = [row.label for row in table.rows]
    rows = [
        Line(
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
    ran = sorted({(r.method, r.variant or "") for p in pools for r in p.records if r.ablation is None})
    for method, variant in ran:
        if method not in BASELINES and (method, variant) not in shown and table.kind != "ablation":
            rows.append(Line("other", f"{method} ({variant})" if variant else method, method, variant or None))
    present = dict(ran)
    rows += [Line("baseline", name, name, present[name] or None) for name in BASELINES if name in present]
    return rows


def runs(line: Line, found: Pool) -> Runs:
    """The newest finished run of each subject and seed, all of the newest config of that subject."""
    groups: dict[str | None, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for r in found.records:
        if (r.method, r.variant, r.ablation) == (line.method, line.variant, line.ablation):
            groups[r.subject][json.dumps(seedless(r.config), sort_keys=True)].append(r)
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


def not_run(line: Line, found: Pool) -> str:
    """Why there is no record of a row."""
    if line.method not in config_stack.methods():
        planned = line.paper is not None and line.paper.ours
        return "this project does not have the method yet" if planned else "not a method of this project"
    if line.ablation is not None and line.ablation not in config_stack.ablations(line.method):
        return "this project does not have the overlay yet"
    if found.data == UNSTATED:
        return "the paper does not say on which data it measured this"
    if any((r.method, r.variant, r.ablation) == (line.method, line.variant, line.ablation) for r in found.changed):
        return f"run on {found.data} with changed values only (overrides)"
    elsewhere = found.elsewhere.get(line.method, ())
    # An ablation may be missing where the whole method is not.
    besides = f"; run on {', '.join(elsewhere)}" if elsewhere and line.ablation is None else ""
    return f"not run on {found.data}{besides}"
