"""A comparison as text: the paper's column, the measured one beside it, and a footnote for every doubt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import rich.table

from benchmarks import grids, significance
from benchmarks.grids import FPS, Cell, Grid, Note
from benchmarks.papers import FLAGS
from motioncopy.metrics.catalogue import definition

#: Characters at which a terminal folds a metric's name.
_FOLD = 22
_WEAK = Note("no better than the best of the trivial baselines", "°")
_TIED = Note("not told apart from the best of its column, or, of a part's worth, from nothing", "≈")
_UNTESTED = Note("not tested", "?")
_WORTH = Note(
    "Worth of a part: how much better the score is with it than without it, positive where it helps; measured trial by "
    "trial at the seeds that both rows have; the paper's is the difference of its two values."
)
_Line = Mapping[str, Any]


def markdown(frame: pd.DataFrame) -> str:
    """The comparison in Markdown: a part for each kind of trials and data set measured on."""
    return grids.markdown(*_layout(frame))


def latex(frame: pd.DataFrame) -> str:
    """The comparison in LaTeX, for the package booktabs."""
    return grids.latex(*_layout(frame))


def terminal(frame: pd.DataFrame, width: int = 160) -> tuple[list[rich.table.Table], list[str]]:
    """The comparison for a terminal of so many columns: its parts, and the footnotes."""
    found, notes = _layout(frame)
    return [part for grid in found for part in grids.terminal(grid, width, fold=_FOLD)], [str(note) for note in notes]


def _layout(frame: pd.DataFrame) -> tuple[list[Grid], list[Note]]:
    cells: list[_Line] = [{str(k): v for k, v in line.items()} for line in frame.to_dict("records")]
    footnotes = _Footnotes(cells)
    parts: dict[tuple[str, str], list[_Line]] = {}
    for cell in cells:
        parts.setdefault((cell["measured_on"], cell["kind"]), []).append(cell)
    found = [_part(lines, footnotes) for lines in parts.values()]
    found += [grid for lines in parts.values() if (grid := _worths(lines, footnotes)) is not None]
    return found, [*_measured(cells), *_meanings(cells), *footnotes.notes(), *_failures(cells), *_untested(cells)]


class _Footnotes:
    """Signs of the flags and reasons, in the order in which they are first asked for."""

    def __init__(self, cells: Sequence[_Line]) -> None:
        self.whole = list(dict.fromkeys(flag for cell in cells for flag in _listed(cell["table_flags"])))
        self.sets: dict[str, list[str]] = {}
        for data in dict.fromkeys(cell["data"] for cell in cells):
            printed = [set(_listed(cell["flags"])) for cell in cells if cell["data"] == data and cell["paper_text"]]
            shared = set.intersection(*printed) if len(printed) > 1 else set()
            self.sets[data] = sorted(shared.difference(self.whole))
        self.flags: list[str] = []
        self.reasons: list[str] = []

    def flagged(self, flags: Iterable[str], data: str | None = None) -> str:
        """The marks of these flags, without those of the whole table or of all that it prints of a data set."""
        wanted = [flag for flag in flags if flag not in self.whole and flag not in self.sets.get(data or "", ())]
        self.flags += [flag for flag in wanted if flag not in self.flags]
        return "".join(grids.lettered(self.flags.index(flag) + 1) for flag in wanted)

    def because(self, reason: str) -> str:
        """The mark of this reason."""
        reason = reason.split(" Expected:")[0]
        if reason not in self.reasons:
            self.reasons.append(reason)
        return grids.raised(self.reasons.index(reason) + 1)

    def notes(self) -> list[Note]:
        """All that were asked for."""
        whole = [Note("The paper's whole table: " + " ".join(FLAGS[f] for f in self.whole))] if self.whole else []
        for data, flags in self.sets.items():
            whole += [Note(f"All cells of {data}: " + " ".join(FLAGS[flag] for flag in flags))] if flags else []
        doubts = [Note(FLAGS[flag], grids.lettered(k)) for k, flag in enumerate(self.flags, start=1)]
        return [*whole, *doubts, *(Note(reason, grids.raised(k)) for k, reason in enumerate(self.reasons, start=1))]


def _listed(flags: str | None) -> list[str]:
    return flags.split(", ") if flags else []


def _part(lines: list[_Line], footnotes: _Footnotes) -> Grid:
    """One grid: the columns of one kind of trials that were measured on one data set."""
    one = lines[0]
    metrics = list(dict.fromkeys(line["metric"] for line in lines))
    sets = list(dict.fromkeys(line["data"] for line in lines))
    rows: dict[tuple[str, str], dict[tuple[str, str], _Line]] = {}
    for line in lines:
        rows.setdefault((line["section"], line["label"]), {})[line["data"], line["metric"]] = line
    own = sets == [one["measured_on"]]
    headings = [""]
    for metric in metrics:
        title = grids.heading(metric)
        headings += [f"{title}\n{'paper' if own else name}" for name in sets if (name, metric) in _having(lines)]
        headings += [f"{title}\n{'here' if own else one['measured_on']}"]
        headings += [f"{title}\nΔ"] if _differs(lines, metric) else []
    texts = tuple(tuple(_row(label, cells, metrics, lines, footnotes)) for (_, label), cells in rows.items())
    sections = [section for section, _ in rows]
    breaks = tuple(k for k in range(1, len(sections)) if sections[k] != sections[k - 1])
    title = f"{one['table']}: {one['title']}; {one['measured_on'] + ', ' if own else ''}{one['kind']}"
    return Grid(title, tuple(headings), texts, breaks=breaks)


def _having(lines: Iterable[_Line]) -> set[tuple[str, str]]:
    return {(line["data"], line["metric"]) for line in lines}


def _differs(lines: Iterable[_Line], metric: str) -> bool:
    return any(line["difference"] is not None for line in lines if line["metric"] == metric)


def _row(
    label: str,
    cells: Mapping[tuple[str, str], _Line],
    metrics: Iterable[str],
    lines: list[_Line],
    footnotes: _Footnotes,
) -> Iterator[Cell]:
    one = next(iter(cells.values()))
    seeds = max(cell["seeds"] for cell in cells.values())
    reasons = {cell["reason"] for cell in cells.values()}
    shared = len(reasons) == 1 and None not in reasons
    marks = footnotes.flagged(_listed(one["row_flags"])) + (footnotes.because(reasons.pop()) if shared else "")
    name = label if not label.startswith("Our") else f"{label} ({one['method']})"
    yield Cell(f"{name}, {seeds} seeds" if seeds > 1 else name, marks=marks)
    for metric in metrics:
        found = [cell for (_, key), cell in cells.items() if key == metric]
        for cell in found:
            flags = [f for f in _listed(cell["flags"]) if f not in _listed(one["row_flags"]) and cell["paper_text"]]
            yield Cell(cell["paper_text"] or "–", cell["paper_best"], footnotes.flagged(flags, cell["data"]))
        here, differs = _here(found[0], "" if shared else None, footnotes), _differs(lines, metric)
        difference, withheld = found[0]["difference"], found[0]["withheld"]
        doubt = footnotes.because(withheld) if withheld else ""
        yield here if differs else replace(here, marks=here.marks + doubt)
        if differs:
            yield Cell("–", marks=doubt) if difference is None else Cell(_number(difference, metric, "+"))


def _here(cell: _Line, mark: str | None, footnotes: _Footnotes) -> Cell:
    if cell["mean"] is None:
        return Cell("–", marks=footnotes.because(cell["reason"]) if mark is None else mark)
    text = _number(cell["mean"], cell["metric"])
    if cell["low"] is not None:
        text += f" [{_number(cell['low'], cell['metric'])}, {_number(cell['high'], cell['metric'])}]"
    marks = ("≈" if cell["tied"] else "") + ("°" if cell["weak"] else "")
    if cell["not_averaged"]:
        marks += footnotes.because(
            f"of runs on {cell['device']} alone; those on {cell['not_averaged']} are not averaged with them"
        )
    return Cell(text, bool(cell["best"]), marks)


def _worths(lines: list[_Line], footnotes: _Footnotes) -> Grid | None:
    """What the parts are worth that a part of the table takes away, or ``None`` if it takes none away."""
    lines = [line for line in lines if line["ablation"] is not None and line["section"] == "paper"]
    known = [line for line in lines if line["paper_worth"] is not None or line["worth"] is not None]
    if not known:
        return None
    rows: dict[str, dict[tuple[str, str], _Line]] = {}
    for line in lines:
        rows.setdefault(line["label"], {})[line["data"], line["metric"]] = line
    place = lines[0]["measured_on"]
    own = all(line["data"] == place for line in lines)
    metrics = list(dict.fromkeys(line["metric"] for line in known))
    headings = [""]
    for metric in metrics:
        title = grids.heading(metric).replace(" ↑", "").replace(" ↓", "")
        sets = [name for name, key in dict.fromkeys((line["data"], line["metric"]) for line in lines) if key == metric]
        headings += [f"{title}\n{'paper' if own else name}" for name in sets] + [f"{title}\n{'here' if own else place}"]
    texts = []
    for label, cells in rows.items():
        texts.append([Cell(f"{label}, against {next(iter(cells.values()))['compared']}")])
        for metric in metrics:
            found = [cell for (_, key), cell in cells.items() if key == metric]
            for cell in found:
                value = cell["paper_worth"]
                printed = len((cell["paper_text"] or "").partition(".")[2])
                texts[-1].append(Cell("–" if value is None else f"{value:+.{printed}f}".replace("-", "−")))
            texts[-1].append(_worth(found[0], footnotes))
    where = f"{place}, " if own else ""
    title = f"{lines[0]['table']}: what each part is worth; {where}{lines[0]['kind']}"
    return Grid(title, tuple(headings), tuple(map(tuple, texts)))


def _worth(cell: _Line, footnotes: _Footnotes) -> Cell:
    if cell["worth"] is None:
        reason = cell["reason"] or cell["worth_untested"] or "the row with the part has no value"
        return Cell("–", marks=footnotes.because(reason))
    text = _number(cell["worth"], cell["metric"], "+")
    if cell["worth_low"] is not None:
        low, high = (_number(cell[key], cell["metric"], "+") for key in ("worth_low", "worth_high"))
        text += f" [{low}, {high}]"
    return Cell(text, marks="≈" if cell["sign"] == "≈" else "?" if cell["worth_untested"] else "")


def _number(value: float, metric: str, sign: str = "") -> str:
    return f"{value:{sign}.{grids.digits(metric)}f}".replace("-", "−")


def _measured(cells: list[_Line]) -> Iterator[Note]:
    """What stands in the measured columns, and what of it can be compared with the paper's."""
    for place in dict.fromkeys(cell["measured_on"] for cell in cells):
        lines = [cell for cell in cells if cell["measured_on"] == place]
        ran = [line for line in lines if line["protocol"]]
        papers = [name for name in dict.fromkeys(line["data"] for line in lines) if name != place]
        if not ran:
            continue
        settings = [f"protocol {ran[0]['protocol']}"]
        settings += dict.fromkeys(f"preset {line['preset']}" for line in ran if line["preset"])
        settings += dict.fromkeys(f"with {line['overlays']}" for line in ran if line["overlays"])
        settings += dict.fromkeys(f"of {line['subjects']}" for line in ran if line["subjects"])
        counts = sorted({line["trials"] for line in ran if line["trials"]})
        trials = "–".join(map(str, dict.fromkeys([counts[0], counts[-1]]))) if counts else ""
        interval = f" [95% interval over {trials} trials]" if trials else ""
        devices = dict.fromkeys(line["device"] for line in ran if line["device"])
        settings += [f"on {'; '.join(devices)}"] if devices else []
        yield Note(f"Measured on {place} ({', '.join(settings)}): mean over seeds{interval}.")
        if devices:
            yield Note("Frames a second depend on the device and on the frames' size: no difference is given.")
        elif papers:
            parts = any(line["ablation"] for line in lines)
            yield Note(
                f"Values on {place} and on {' or '.join(papers)} cannot be compared: no difference is given"
                + ("; what can be compared is whether a part helps." if parts else ".")
            )
        elif not any(line["difference"] is not None or line["withheld"] for line in lines):
            expected = ", ".join(dict.fromkeys(str(line["paper_protocol"]) for line in lines))
            yield Note(
                f"No difference is given: of this project's protocols {expected} comes nearest to the paper's, "
                f"and this is {ran[0]['protocol']}."
            )


def _meanings(cells: list[_Line]) -> Iterator[Note]:
    if any(cell["paper_worth"] is not None or cell["sign"] for cell in cells):
        yield _WORTH
    if any(cell["tied"] or cell["sign"] == "≈" for cell in cells):
        yield _TIED
    if any(cell["worth"] is not None and cell["worth_untested"] for cell in cells):
        yield _UNTESTED
    if any(cell["tied"] or cell["sign"] for cell in cells):
        yield Note(f"Tests: {significance.NOTE}")
    if any(cell["weak"] for cell in cells):
        yield _WEAK


def _failures(cells: list[_Line]) -> Iterator[Note]:
    for label, failed in dict.fromkeys((cell["label"], cell["failed"]) for cell in cells if cell["failed"]):
        yield Note(f"{label}: {failed}")
    aside = {(cell["measured_on"], cell["label"]): cell["aside"] for cell in cells if cell["aside"]}
    for (place, label), count in aside.items():
        yield Note(f"{label} on {place}: {count} finished runs of older configs do not count.")
    for place, count in dict.fromkeys((cell["measured_on"], cell["changed"]) for cell in cells if cell["changed"]):
        runs = (
            "1 run with changed values (overrides) does"
            if count == 1
            else f"{count} runs with changed values (overrides) do"
        )
        yield Note(f"On {place} {runs} not count.")
    for place, people in dict.fromkeys((cell["measured_on"], cell["left_out"]) for cell in cells if cell["left_out"]):
        yield Note(f"On {place} left out of all rows, since not every row has them: {people}.")


def _untested(cells: list[_Line]) -> Iterator[Note]:
    reasons: dict[str, list[str]] = {}
    for cell in cells:
        for reason in (cell["untested"], cell["worth_untested"] if cell["worth"] is not None else None):
            if reason:
                name = "FPS" if cell["metric"] == FPS else definition(cell["metric"]).title
                titles = reasons.setdefault(reason, [])
                titles += [name] if name not in titles else []
    every = len(dict.fromkeys(cell["metric"] for cell in cells if cell["mean"] is not None))
    for reason, titles in reasons.items():
        which = "" if len(titles) == every else f" in {', '.join(titles)}"
        yield Note(f"Differences not tested{which}: {reason}.")
