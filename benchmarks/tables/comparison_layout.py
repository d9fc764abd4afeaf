"""How a comparison with a paper looks: its column, the measured one beside it, and a footnote for every doubt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks.papers import FLAGS
from benchmarks.tables import table
from benchmarks.tables.columns import heading, interval, number, short, title
from benchmarks.tables.grid import Cell, Footnotes, Grid, Note, lettered, raised
from motioncopy.metrics.bootstrap import NOTE

#: Characters at which a terminal folds a metric's name.
FOLD = 22
_WEAK = Note("no better than the best of the trivial baselines", "°")
_TIED = Note("not told apart from the best of its column, or, of a part's worth, from nothing", "≈")
_UNTESTED = Note("not tested", "?")
_WORTH = Note(
    "Worth of a part: how much better the score is with it than without it, positive where it helps; measured trial by "
    "trial at the seeds that both rows have; the paper's is the difference of its two values."
)
#: A line of the comparison's frame: what the paper prints in one place, and what was measured.
Line = Mapping[str, Any]


def layout(frame: pd.DataFrame) -> tuple[list[Grid], list[Note]]:
    """A grid for each kind of trials and data set measured on, one for what its parts are worth, and the notes."""
    lines: list[Line] = list(table.cells(frame))
    doubts = Doubts(lines)
    parts: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        parts.setdefault((line["measured_on"], line["kind"]), []).append(line)
    grids = [_part(part, doubts) for part in parts.values()]
    grids += [grid for part in parts.values() if (grid := _worths(part, doubts)) is not None]
    return grids, [*_measured(lines), *_meanings(lines), *doubts.notes(), *_failures(lines), *_untested(lines)]


class Doubts:
    """Footnotes of flags, signed by letters, and of reasons, signed by numbers; what all cells have is said once."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.whole = list(dict.fromkeys(flag for line in lines for flag in _listed(line["table_flags"])))
        self.sets: dict[str, list[str]] = {}
        for data in dict.fromkeys(line["data"] for line in lines):
            printed = [set(_listed(line["flags"])) for line in lines if line["data"] == data and line["paper_text"]]
            shared = set.intersection(*printed) if len(printed) > 1 else set()
            self.sets[data] = sorted(shared.difference(self.whole))
        self._flags, self._reasons = Footnotes(lettered), Footnotes(raised)

    def of_row(self, line: Line) -> str:
        """The marks of the flags of a line's whole row."""
        return self._marks(_listed(line["row_flags"]))

    def of_cell(self, line: Line) -> str:
        """The marks of the flags of a line's own cell."""
        own = [f for f in _listed(line["flags"]) if f not in _listed(line["row_flags"]) and line["paper_text"]]
        return self._marks(own, line["data"])

    def _marks(self, flags: Iterable[str], data: str = "") -> str:
        wanted = [flag for flag in flags if flag not in self.whole and flag not in self.sets.get(data, ())]
        return "".join(self._flags.mark(FLAGS[flag]) for flag in wanted)

    def because(self, reason: str) -> str:
        """The mark of this reason."""
        return self._reasons.mark(short(reason))

    def notes(self) -> list[Note]:
        """All that were asked for."""
        whole = [Note("The paper's whole table: " + " ".join(FLAGS[f] for f in self.whole))] if self.whole else []
        for data, flags in self.sets.items():
            whole += [Note(f"All cells of {data}: " + " ".join(FLAGS[flag] for flag in flags))] if flags else []
        return [*whole, *self._flags.notes(), *self._reasons.notes()]


def _listed(flags: str | None) -> list[str]:
    return flags.split(", ") if flags else []


def by_row(lines: Iterable[Line]) -> dict[tuple[str, str], list[Line]]:
    """Lines by section and label."""
    rows: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        rows.setdefault((line["section"], line["label"]), []).append(line)
    return rows


def _part(lines: list[Line], doubts: Doubts) -> Grid:
    """One grid: the columns of one kind of trials that were measured on one data set."""
    one = lines[0]
    own = all(line["data"] == one["measured_on"] for line in lines)
    differing = {line["metric"] for line in lines if line["difference"] is not None}
    headings = [""]
    for metric, sets in _columns(lines).items():
        headings += [f"{heading(metric)}\n{'paper' if own else name}" for name in sets]
        headings += [f"{heading(metric)}\n{'here' if own else one['measured_on']}"]
        headings += [f"{heading(metric)}\nΔ"] if metric in differing else []
    rows = by_row(lines)
    texts = tuple(tuple(_row(label, cells, differing, doubts)) for (_, label), cells in rows.items())
    sections = [section for section, _ in rows]
    breaks = tuple(k for k in range(1, len(sections)) if sections[k] != sections[k - 1])
    caption = f"{one['table']}: {one['title']}; {one['measured_on'] + ', ' if own else ''}{one['kind']}"
    return Grid(caption, tuple(headings), texts, breaks=breaks)


def _columns(lines: Iterable[Line]) -> dict[str, list[str]]:
    """The metrics, and the paper's data sets of each."""
    found: dict[str, list[str]] = {}
    for data, metric in dict.fromkeys((line["data"], line["metric"]) for line in lines):
        found.setdefault(metric, []).append(data)
    return found


def _row(label: str, cells: list[Line], differing: set[str], doubts: Doubts) -> Iterator[Cell]:
    seeds = max(cell["seeds"] for cell in cells)
    reasons = {cell["reason"] for cell in cells}
    shared = reasons.pop() if len(reasons) == 1 else None
    marks = doubts.of_row(cells[0]) + (doubts.because(shared) if shared else "")
    name = label if not label.startswith("Our") else f"{label} ({cells[0]['method']})"
    yield Cell(f"{name}, {seeds} seeds" if seeds > 1 else name, marks=marks)
    for metric in _columns(cells):
        found = [cell for cell in cells if cell["metric"] == metric]
        yield from (printed_cell(cell, doubts) for cell in found)
        one = found[0]
        here = measured_cell(one, doubts)
        if here is None:
            here = Cell("–", marks="" if shared else doubts.because(one["reason"]))
        doubt = doubts.because(one["withheld"]) if one["withheld"] else ""
        if metric not in differing:
            yield replace(here, marks=here.marks + doubt)
        else:
            yield here
            yield difference_cell(one) or Cell("–", marks=doubt)


def printed_cell(line: Line, doubts: Doubts) -> Cell:
    """What the paper prints."""
    return Cell(line["paper_text"] or "–", bold=line["paper_best"], marks=doubts.of_cell(line))


def measured_cell(line: Line, doubts: Doubts) -> Cell | None:
    """What was measured, if anything was."""
    if line["mean"] is None:
        return None
    metric, marks = line["metric"], ("≈" if line["tied"] else "") + ("°" if line["weak"] else "")
    if line["not_averaged"]:
        marks += doubts.because(
            f"of runs on {line['device']} alone; those on {line['not_averaged']} are not averaged with them"
        )
    ends = interval(line["low"], line["high"], metric)
    return Cell(number(line["mean"], metric), ends, bold=bool(line["best"]), marks=marks, line=line["line"])


def difference_cell(line: Line) -> Cell | None:
    """How far the measured value is from the paper's, if the two can be compared."""
    return None if line["difference"] is None else Cell(number(line["difference"], line["metric"], signed=True))


def _worths(lines: list[Line], doubts: Doubts) -> Grid | None:
    """What the parts are worth that a part of the table takes away, or ``None`` if it takes none away."""
    lines = [line for line in lines if line["ablation"] is not None and line["section"] == "paper"]
    known = [line for line in lines if line["paper_worth"] is not None or line["worth"] is not None]
    if not known:
        return None
    place = lines[0]["measured_on"]
    own = all(line["data"] == place for line in lines)
    metrics = {metric: sets for metric, sets in _columns(lines).items() if any(x["metric"] == metric for x in known)}
    headings = [""]
    for metric, sets in metrics.items():
        name = heading(metric, arrow=False)
        headings += [f"{name}\n{'paper' if own else data}" for data in sets] + [f"{name}\n{'here' if own else place}"]
    rows = []
    for (_, label), cells in by_row(lines).items():
        row = [Cell(f"{label}, against {cells[0]['compared']}")]
        for metric in metrics:
            found = [cell for cell in cells if cell["metric"] == metric]
            for cell in found:
                value, digits = cell["paper_worth"], len((cell["paper_text"] or "").partition(".")[2])
                row.append(Cell("–" if value is None else f"{value:+.{digits}f}".replace("-", "−")))
            row.append(_worth(found[0], doubts))
        rows.append(tuple(row))
    caption = f"{lines[0]['table']}: what each part is worth; {f'{place}, ' if own else ''}{lines[0]['kind']}"
    return Grid(caption, tuple(headings), tuple(rows))


def _worth(line: Line, doubts: Doubts) -> Cell:
    if line["worth"] is None:
        reason = line["reason"] or line["worth_untested"] or "the row with the part has no value"
        return Cell("–", marks=doubts.because(reason))
    metric = line["metric"]
    ends = interval(line["worth_low"], line["worth_high"], metric, signed=True)
    mark = "≈" if line["sign"] == "≈" else "?" if line["worth_untested"] else ""
    return Cell(number(line["worth"], metric, signed=True), ends, marks=mark)


def _measured(lines: list[Line]) -> Iterator[Note]:
    """What stands in the measured columns, and what of it can be compared with the paper's."""
    for place in dict.fromkeys(line["measured_on"] for line in lines):
        here = [line for line in lines if line["measured_on"] == place]
        ran = [line for line in here if line["protocol"]]
        papers = [name for name in dict.fromkeys(line["data"] for line in here) if name != place]
        if not ran:
            continue
        settings = [f"protocol {ran[0]['protocol']}"]
        for before, name in (("preset", "preset"), ("with", "overlays"), ("of", "subjects")):
            settings += dict.fromkeys(f"{before} {line[name]}" for line in ran if line[name])
        counts = sorted({line["trials"] for line in ran if line["trials"]})
        trials = "–".join(map(str, dict.fromkeys([counts[0], counts[-1]]))) if counts else ""
        devices = dict.fromkeys(line["device"] for line in ran if line["device"])
        settings += [f"on {'; '.join(devices)}"] if devices else []
        over = f" [95% interval over {trials} trials]" if trials else ""
        yield Note(f"Measured on {place} ({', '.join(settings)}): mean over seeds{over}.")
        if devices:
            yield Note("Frames a second depend on the device and on the frames' size: no difference is given.")
        elif papers:
            parts = any(line["ablation"] for line in here)
            yield Note(
                f"Values on {place} and on {' or '.join(papers)} cannot be compared: no difference is given"
                + ("; what can be compared is whether a part helps." if parts else ".")
            )
        elif not any(line["difference"] is not None or line["withheld"] for line in here):
            expected = ", ".join(dict.fromkeys(str(line["paper_protocol"]) for line in here))
            yield Note(
                f"No difference is given: of this project's protocols {expected} comes nearest to the paper's, "
                f"and this is {ran[0]['protocol']}."
            )


def _meanings(lines: list[Line]) -> Iterator[Note]:
    if any(line["paper_worth"] is not None or line["sign"] for line in lines):
        yield _WORTH
    if any(line["tied"] or line["sign"] == "≈" for line in lines):
        yield _TIED
    if any(line["worth"] is not None and line["worth_untested"] for line in lines):
        yield _UNTESTED
    if any(line["tied"] or line["sign"] for line in lines):
        yield Note(f"Tests: {NOTE}")
    if any(line["weak"] for line in lines):
        yield _WEAK


def _failures(lines: list[Line]) -> Iterator[Note]:
    for label, failed in dict.fromkeys((line["label"], line["failed"]) for line in lines if line["failed"]):
        yield Note(f"{label}: {failed}")
    aside = {(line["measured_on"], line["label"]): line["aside"] for line in lines if line["aside"]}
    for (place, label), count in aside.items():
        yield Note(f"{label} on {place}: {count} finished runs of older configs do not count.")
    for place, count in dict.fromkeys((line["measured_on"], line["changed"]) for line in lines if line["changed"]):
        one = count == 1
        runs, do = ("run", "does") if one else ("runs", "do")
        yield Note(f"On {place} {count} {runs} with changed values (overrides) {do} not count.")
    for place, people in dict.fromkeys((line["measured_on"], line["left_out"]) for line in lines if line["left_out"]):
        yield Note(f"On {place} left out of all rows, since not every row has them: {people}.")


def _untested(lines: list[Line]) -> Iterator[Note]:
    reasons: dict[str, dict[str, None]] = {}
    for line in lines:
        for reason in (line["untested"], line["worth_untested"] if line["worth"] is not None else None):
            if reason:
                reasons.setdefault(reason, {})[title(line["metric"])] = None
    every = len(dict.fromkeys(line["metric"] for line in lines if line["mean"] is not None))
    for reason, titles in reasons.items():
        which = "" if len(titles) == every else f" in {', '.join(titles)}"
        yield Note(f"Differences not tested{which}: {reason}.")
