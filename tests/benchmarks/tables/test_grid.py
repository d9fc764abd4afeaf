"""How grids look: nothing is lost where they are cut, and LaTeX gets what it can compile."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.tables.grid import PAGE, Cell, Grid, Note, escape, latex, lettered, markdown, raised, terminal
from motioncopy.errors import RecordError

ODD = "50% of a_b & c#1 {x} ~ ^ \\ $5 <a|b> ± ≈ ° ↑ ↓ – − Δ → “q” "


def grid(columns: int = 3, text: str = "0.123 [0.100, 0.150]") -> Grid:
    rows = tuple(
        (Cell(f"row_{r}"), *(Cell(f"{r}{c} {text}", bold=c == r, marks=raised(c + 1)) for c in range(columns)))
        for r in range(2)
    )
    return Grid("a 5% table", ("row", *(f"metric {c // 2}\nside {c}" for c in range(columns))), rows)


def check_latex(text: str) -> None:
    """What a compiler would stumble over: environments, braces, columns, letters that mean something."""
    stack: list[str] = []
    for command, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if command == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    bare = re.sub(r"\\[\\{}&%$#_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert "#" not in bare
    assert not re.search(r"[_^](?!\{)", re.sub(r"\$[^$]*\$", "", bare))
    assert "%" not in bare.removeprefix("% ").replace("\n% ", "\n")
    assert not [c for c in text if ord(c) > 126]
    for columns, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        for line in body.splitlines():
            if line.startswith((r"\toprule", r"\midrule", r"\bottomrule")):
                continue
            assert r" \\" in line
            spans = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line))
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + spans == len(columns), line


def test_latex_is_balanced_escaped_and_has_one_cell_a_column() -> None:
    odd = Grid(ODD, ("", ODD), ((Cell(ODD), Cell(ODD, bold=True, marks="≈°ᵃᵇ¹²")),))
    text = latex([grid(text="0.1"), odd], [Note(ODD), Note("first", "¹"), Note("letter", "ᵇ")])
    check_latex(text)
    assert text.count(r"\begin{table}") == 2
    assert r"\multicolumn{2}{c}{metric 0} & metric 1 \\\cmidrule(lr){2-3}" in text
    assert r"row\_0 & \textbf{00 0.1}$^{1}$" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path: Path) -> None:
    odd = Grid(ODD, ("", ODD), ((Cell(ODD), Cell(ODD, bold=True, marks="≈°ᵃᵇ¹²")),))
    body = latex([grid(9), odd], [Note(ODD), Note("first", "¹")])
    head = "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(head + body + "\\end{document}\n", encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_float_holds_only_the_notes_it_needs() -> None:
    one, other = (Grid(t, ("", "x"), ((Cell("r"), Cell("–", marks=m)),)) for t, m in (("a", "¹"), ("b", "¹²")))
    first, second, _ = latex([one, other], [Note("n1", "¹"), Note("n12", "¹²"), Note("all")]).split(r"\end{table}")
    assert ("n1\n" in first, "n12" in first, "all" in first) == (True, False, False)
    assert ("n1\n" in second, "n12" in second, "all" in second) == (False, True, True)


@pytest.mark.parametrize("width", [60, PAGE, 160])
def test_a_cut_keeps_every_column_once_and_bundles_whole(width: int) -> None:
    parts = list(grid(7).parts(width))
    assert [h for part in parts for h in part.headings[1:]] == list(grid(7).headings[1:])
    assert all(part.headings[0] == "row" for part in parts)
    for part in parts:
        firsts = [h.split("\n")[0] for h in part.headings[1:]]
        assert all(firsts.count(f) == 2 for f in firsts if f != "metric 3")
    assert len(parts) > 1 or width == 160


def test_marks_do_not_move_the_digits() -> None:
    rows = ((Cell("a"), Cell("0.500", marks="≈°")), (Cell("b"), Cell("0.250")))
    (table,) = terminal(Grid("", ("", "x"), rows), 80)
    assert [str(text) for text in table.columns[1].cells] == ["0.500≈°", "0.250  "]


def test_markdown_keeps_a_bar_inside_its_cell() -> None:
    text = markdown([Grid("t", ("", "a\nb"), ((Cell("x|y"), Cell("1", bold=True, marks="¹")),))], [Note("why", "¹")])
    assert text == "**t**\n\n|  | a b |\n| --- | --: |\n| x\\|y | **1**¹ |\n\n¹ why\n"


def test_a_grid_turns_and_turns_back() -> None:
    one = Grid("t", ("m", "x", "y"), ((Cell("a"), Cell("1"), Cell("2")), (Cell("b"), Cell("3"), Cell("4"))))
    assert one.transposed().headings == ("m", "a", "b")
    assert one.transposed().transposed() == one


def test_signs_are_told_apart_and_run_out_with_an_error() -> None:
    assert [raised(n) for n in (1, 12)] == ["¹", "¹²"]
    assert escape("x" + raised(12) + lettered(1) + lettered(2)) == "x$^{12ab}$"
    with pytest.raises(RecordError, match="too many footnotes"):
        lettered(26)
    with pytest.raises(RecordError, match="not one cell a column"):
        Grid("t", ("a", "b"), ((Cell("1"),),))
