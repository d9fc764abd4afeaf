"""Tables as text: a grid of cells with footnotes, written for a terminal, as Markdown or as LaTeX.

What is in a cell is decided elsewhere; here only how it looks. Signs that LaTeX has no letter for may be used freely:
those of :data:`_LATEX`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import rich.box
import rich.table
from rich.text import Text

from motioncopy.errors import RecordError

#: Characters between two columns, and at the edges of a table.
_GAP, _EDGES = 3, 1
#: Characters that stand side by side on a page of LaTeX in ``\footnotesize``.
PAGE = 76
_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "–": "--", "−": r"$-$", "±": r"$\pm$", "≈": r"$\approx$", "°": r"$^{\circ}$", "Δ": r"$\Delta$", "·": r"$\cdot$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\rightarrow$", "≥": r"$\geq$", "×": r"$\times$",
    "†": r"\textdagger{}", "‡": r"\textdaggerdbl{}", "§": r"\S{}", "…": r"\dots{}", "’": "'", "“": "``", "”": "''",
})  # fmt: skip
_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_LETTERS = "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
_RAISING = str.maketrans("0123456789", _DIGITS)
_LOWERING = str.maketrans(_DIGITS + _LETTERS, "0123456789abcdefghijklmnoprstuvwxyz")


@dataclass(frozen=True)
class Cell:
    """What stands in one place.

    Attributes:
        value: The value.
        interval: The ends of its interval; may be empty.
        deviation: Its deviation over seeds, which text shows where there is no interval; may be empty.
        bold: Whether it is the best.
        marks: Signs behind it, of footnotes.
        line: Index of the line of the frame behind the grid that it shows.
    """

    value: str = ""
    interval: str = ""
    deviation: str = ""
    bold: bool = False
    marks: str = ""
    line: Hashable = None

    @property
    def text(self) -> str:
        """The value and how far it is to be trusted."""
        if self.interval:
            return f"{self.value} [{self.interval}]"
        return f"{self.value} ± {self.deviation}" if self.deviation else self.value


@dataclass(frozen=True)
class Note:
    """What stands below a table.

    Attributes:
        text: The whole of it.
        sign: The mark in the cells that it explains; empty for one that belongs to the whole table.
    """

    text: str
    sign: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.text}".strip()


class Footnotes:
    """Footnotes, signed in the order in which they are first asked for.

    Args:
        sign: The sign of a footnote's number from 1: :func:`raised` or :func:`lettered`.
    """

    def __init__(self, sign: Callable[[int], str]) -> None:
        self._sign = sign
        self._texts: dict[str, str] = {}

    def mark(self, text: str) -> str:
        """The sign of the footnote of this text."""
        if text not in self._texts:
            self._texts[text] = self._sign(len(self._texts) + 1)
        return self._texts[text]

    def notes(self) -> list[Note]:
        """All that were asked for."""
        return [Note(text, sign) for text, sign in self._texts.items()]


@dataclass(frozen=True)
class Grid:
    """A table as it is printed.

    Attributes:
        title: What stands above it.
        headings: One for each column; of several lines where the first says what some columns have in common, which
            are then not torn apart.
        rows: Cells, the first of which is the row's label.
        left: Number of columns, from the left, whose texts begin at the left; they are repeated where the others do
            not fit side by side.
        breaks: Numbers of the rows that a line parts from those above.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left: int = 1
    breaks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if wrong := [row for row in self.rows if len(row) != len(self.headings)]:
            raise RecordError(
                f"a row of the table {self.title} has not one cell a column",
                expected=len(self.headings),
                found=len(wrong[0]),
            )

    def transposed(self) -> Grid:
        """The same with rows for columns; of one label a row, and without breaks."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.headings)
        names = (self.headings[0], *(label.text for label in columns[0]))
        rows = zip(self.headings[1:], columns[1:], strict=True)
        return replace(self, headings=names, rows=tuple((Cell(heading), *cells) for heading, cells in rows), breaks=())

    def parts(self, width: int, *, fold: int | None = None) -> Iterator[Grid]:
        """The grid in pieces of so many characters; a column that is wider than that stays alone.

        Args:
            width: Characters.
            fold: At how many a heading is folded; ``None``: not at all.
        """
        shown = [max(map(len, text.split("\n"))) for text in self.shown(fold)]
        widths = [max(heading, sum(self.widest(k))) for k, heading in enumerate(shown)]
        fixed = sum(widths[: self.left]) + _GAP * self.left + _EDGES
        chosen: list[int] = []
        begun = False
        for _, bundle in groupby(range(self.left, len(self.headings)), key=self._bundle):
            columns = list(bundle)
            if chosen and fixed + sum(widths[k] + _GAP for k in [*chosen, *columns]) > width:
                yield self._only(chosen, begun)
                chosen, begun = [], True
            chosen += columns
        yield self._only(chosen, begun)

    def _bundle(self, column: int) -> str:
        first, *others = self.headings[column].split("\n")
        return first if others else f"{column}\n"

    def shown(self, fold: int | None = None) -> list[str]:
        """The headings as a terminal shows them: what columns have in common over the widest of them alone.

        Args:
            fold: At how many characters they are folded, but for those of the labels; ``None``: not at all.
        """
        shown = [text.split("\n", 1)[-1] for text in self.headings]
        for _, bundle in groupby(range(len(self.headings)), key=self._bundle):
            columns = list(bundle)
            widest = max(columns, key=lambda k: sum(self.widest(k)))
            shown[widest] = self.headings[widest]
        return [text if fold is None or k < self.left else _folded(text, fold) for k, text in enumerate(shown)]

    def widest(self, column: int) -> tuple[int, int]:
        """Characters of the longest text and of the most marks in a column."""
        cells = [row[column] for row in self.rows]
        return max((len(c.text) for c in cells), default=0), max((len(c.marks) for c in cells), default=0)

    def _only(self, columns: Sequence[int], begun: bool) -> Grid:
        kept = [*range(self.left), *columns]
        rows = tuple(tuple(row[k] for k in kept) for row in self.rows)
        title = f"{self.title}, continued" if begun else self.title
        return replace(self, title=title, headings=tuple(self.headings[k] for k in kept), rows=rows)


def _folded(text: str, fold: int) -> str:
    lines = [textwrap.wrap(line, fold, break_on_hyphens=False) or [""] for line in text.split("\n")]
    return "\n".join(part for parts in lines for part in parts)


def raised(number: int) -> str:
    """The sign of the footnote of this number."""
    return str(number).translate(_RAISING)


def lettered(number: int) -> str:
    """The sign of the footnote of this number, from 1, as a letter, of which several may stand in one cell.

    Raises:
        RecordError: If there are more footnotes than letters.
    """
    if number > len(_LETTERS):
        raise RecordError("a table holds too many footnotes", expected=f"at most {len(_LETTERS)}", found=number)
    return _LETTERS[number - 1]


def markdown(grids: Iterable[Grid], notes: Iterable[Note]) -> str:
    """Grids and notes in Markdown."""
    parts = []
    for grid in grids:
        head = [[text.replace("\n", " ") for text in grid.headings], _rule(grid)]
        body = [[_marked(cell) for cell in row] for row in grid.rows]
        lines = ["| " + " | ".join(line) + " |" for line in [*head, *body]]
        parts += [f"**{grid.title}**", "\n".join(lines)]
    return "\n\n".join([*parts, *map(str, notes)]) + "\n"


def _rule(grid: Grid) -> list[str]:
    return ["---" if k < grid.left else "--:" for k in range(len(grid.headings))]


def _marked(cell: Cell) -> str:
    text = cell.text.replace("|", "\\|")
    return (f"**{text}**" if cell.bold and text else text) + cell.marks


def terminal(grid: Grid, width: int, *, fold: int | None = None) -> list[rich.table.Table]:
    """A grid for a terminal of so many columns, in as many parts as that takes."""
    tables = []
    for part in grid.parts(width, fold=fold):
        breadth = min(len(part.title), width)
        table = rich.table.Table(title=part.title, box=rich.box.SIMPLE_HEAD, title_justify="left", min_width=breadth)
        marks = [part.widest(k)[1] for k in range(len(part.headings))]
        for k, text in enumerate(part.shown(fold)):
            if k < part.left:
                table.add_column(Text(text), overflow="fold", vertical="bottom")
            else:
                least = max(sum(part.widest(k)), *map(len, text.split("\n")))
                table.add_column(Text(text), justify="right", no_wrap=True, min_width=least, vertical="bottom")
        for number, row in enumerate(part.rows):
            if number in part.breaks:
                table.add_section()
            # Marks of the same breadth everywhere keep the digits one below the other.
            table.add_row(*(_styled(cell, breadth) for cell, breadth in zip(row, marks, strict=True)))
        tables.append(table)
    return tables


def _styled(cell: Cell, marks: int) -> Text:
    return Text.assemble((cell.text, "bold" if cell.bold else ""), cell.marks.ljust(marks))


def latex(grids: Iterable[Grid], notes: Iterable[Note]) -> str:
    """Grids in LaTeX, each a float with the notes of its marks; those without a mark follow the last. For booktabs."""
    notes = list(notes)
    parts = [part for grid in grids for part in grid.parts(PAGE)]
    floats = []
    for number, part in enumerate(parts, start=1):
        used = set().union(*(_signs(cell.marks) for row in part.rows for cell in row))
        last = number == len(parts)
        floats.append(_float(part, [note for note in notes if (note.sign in used if note.sign else last)]))
    return "% \\usepackage{booktabs}\n" + "\n".join(floats)


def _float(grid: Grid, notes: Sequence[Note]) -> str:
    count, lead = len(grid.headings), grid.left
    lines = [r"\begin{table}[htbp]", r"\centering\footnotesize", rf"\caption{{{escape(grid.title)}}}"]
    lines += [rf"\begin{{tabular}}{{{'l' * lead}{'r' * (count - lead)}}}", r"\toprule", *_heads(grid), r"\midrule"]
    for number, row in enumerate(grid.rows):
        lines += [r"\midrule"] if number in grid.breaks else []
        lines += [" & ".join(map(_set, row)) + r" \\"]
    lines += [r"\bottomrule", r"\end{tabular}"]
    if notes:
        lines += [r"\begin{itemize}\raggedright"]
        lines += [rf"\item[{escape(note.sign)}] {escape(note.text)}" for note in notes]
        lines += [r"\end{itemize}"]
    return "\n".join([*lines, r"\end{table}", ""])


def _signs(marks: str) -> set[str]:
    """The footnotes' signs in a run of marks: ``¹²`` is the twelfth, ``ᵃᵇ`` are two."""
    return set(re.findall(rf"[{_DIGITS}]+|[^{_DIGITS} ]", marks))


def _heads(grid: Grid) -> Iterator[str]:
    """The headings, one line for each of theirs: what neighbours have in common stands once, over all of them."""
    split = [text.split("\n") for text in grid.headings]
    depth = max(map(len, split))
    # A heading of one line stands at the bottom, beside the values.
    levels = [[""] * (depth - len(lines)) + lines for lines in split]
    for level in range(depth):
        cells, rules, column = [], [], 1
        for text, same in groupby(lines[level] for lines in levels):
            span = len(list(same))
            if level < depth - 1 and text and span > 1:
                cells.append(rf"\multicolumn{{{span}}}{{c}}{{{escape(text)}}}")
                rules.append(rf"\cmidrule(lr){{{column}-{column + span - 1}}}")
            else:
                cells += [escape(text)] * span
            column += span
        yield " & ".join(cells) + r" \\" + "".join(rules)


def _set(cell: Cell) -> str:
    text = escape(cell.text)
    return (rf"\textbf{{{text}}}" if cell.bold and text else text) + escape(cell.marks)


def lowered(signs: str) -> str:
    """Raised signs as plain letters and digits, for a page that raises them itself."""
    return signs.translate(_LOWERING)


def escape(text: str) -> str:
    """A text for LaTeX, read as UTF-8."""
    escaped = text.translate(_LATEX)
    return re.sub(f"[{_DIGITS}{_LETTERS}]+", lambda raised: f"$^{{{lowered(raised[0])}}}$", escaped)
