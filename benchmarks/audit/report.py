"""The audit as a table for a terminal, and as the committed page on metrics."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmarks.audit.checks import Audit, Check
from benchmarks.audit.opinions import Agreement
from motioncopy.metrics.catalogue import DEFAULTS, METRICS, definition

#: What stands between the parts that are written by hand and those that are not.
INTRODUCTION = """\
# Metrics: what each one is, and what it was held against

Every value that motioncopy prints bears a key, `name/variant@version`. Where papers or public codes differ, every
reading has a variant of its own; one of each family is the default. A change of any value gives the key a new version.
The definitions below are those of the code (`motioncopy evaluate --list-metrics` prints them too).

Metrics see 8-bit RGB frames. Means are taken over a clip's frames first, then over clips; intervals are 95% bootstrap
intervals over clips, expanded for few of them as in `motioncopy.metrics.bootstrap`. Metrics over sets (FID, KID, IS,
FVD) look at all clips together, state how many samples they saw and how the value moves with that number, and refuse to
be computed from fewer than their definition asks for. A metric whose pretrained network is not on the machine is
missing, with the way to get it; nothing stands in for it.
"""

_AUDITED = (
    "`{command}` at commit {commit}, {minutes:.0f} minutes on a CPU. Differences are the largest relative ones over "
    "fixed cases (absolute below 0.001); pixel metrics must stay below 1e-5 of their reference, metrics of networks "
    "below 1e-4, two processes within 1e-6 and 1e-4 of one. Weights: *random* are drawn in the published format where "
    "the real ones are not on the machine: that shows that the arithmetic is right, and says nothing of what the real "
    "network would score; behaviour under damage is then printed without judgement."
)


def short(check: Check) -> str:
    """A check in a cell: its value, and ✗ if it failed; in brackets where nothing is judged."""
    text = "–" if check.value is None else f"{check.value:.1e}"
    return f"({text})" if check.passed is None else text if check.passed else f"{text} ✗"


def _worst(chosen: Sequence[Check]) -> str:
    failed = [c for c in chosen if c.passed is False]
    worst = max(failed or chosen, key=lambda c: -1.0 if c.value is None else c.value, default=None)
    return "" if worst is None else short(worst)


def _judged(chosen: Sequence[Check]) -> str:
    if failed := [c.name for c in chosen if c.passed is False]:
        return "✗ " + ", ".join(failed)
    return "" if not chosen else "not judged" if all(c.passed is None for c in chosen) else "✓"


_HEADINGS = ("metric", "reference", "weights", "difference", "2 processes", "batch 1, 3, 8", "types", "behaviour")
_BEHAVIOUR = ("identical", "more blur", "more noise", "more shift", "shuffled", "frozen", "order of rows")


def _behaves(check: Check) -> bool:
    return check.name in _BEHAVIOUR or check.name.startswith("puppet: ")


def row(audit: Audit) -> tuple[str, ...]:
    """The audit in one line, under :data:`_HEADINGS`."""
    differences = [
        _worst([c for c in audit.checks if c.name in names])
        for names in (
            ("reference",), ("2 processes",), ("batch 1", "batch 3", "batch 8", "other clips"),
            ("float", "[0, 1]", "[-1, 1]"),
        )
    ]  # fmt: skip
    behaviour = _judged([c for c in audit.checks if _behaves(c)])
    return audit.key, audit.reference, audit.weights or "none", *differences, behaviour


def terminal(audits: Sequence[Audit]) -> Table:
    """One line a metric."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=heading == "metric")
    for audit in audits:
        table.add_row(*row(audit))
    return table


def definitions() -> str:
    """What every metric is, in Markdown: a pure function of the code."""
    lines = ["## Definitions", ""]
    for key in METRICS:
        one = definition(key)
        unit = f", {one.unit}" if one.unit else ""
        better = {"higher": "higher is better", "lower": "lower is better", "none": "neither high nor low is good"}
        lines += [f"### `{key}`: {one.title}{' (default)' if key in DEFAULTS else ''}", ""]
        lines += [f"{one.text} ({better[one.direction]}{unit}; source: {one.source}.)", ""]
        lines += [f"*Choice.* {one.choice}", ""] if one.choice else []
        lines += [f"*Mind.* {one.caution}", ""] if one.caution else []
    return "\n".join(lines)


_OPINIONS = (
    "Spearman's rank correlation with the mean opinions of TID2013 (Ponomarenko et al. 2015) over {count} kinds and "
    "strengths of damage: 14 of its 24 kinds, which could be made anew, each at its five PSNRs (33 to 21 dB), on "
    "{frames} rendered people of 192x192 pixels. Neither the database's pictures nor its exact damage: it says whether "
    "a metric holds one *kind* of damage for worse than another as people do, and nothing of generated people. At "
    "equal PSNR, PSNR itself is left with the strength alone. The layers of `perceptual/hed_vgg@1` were chosen by such "
    "a table, made on frames of real clips (.89 there, PSNR .79), so that its value here is flattered by the choice of "
    "kinds, not by that of pictures."
)


def agreement_lines(found: Agreement) -> list[str]:
    """The comparison with people's opinions, in Markdown."""
    rows = sorted(found.correlation.items(), key=lambda item: -item[1])
    return [
        "### Beside people's opinions",
        "",
        _OPINIONS.format(count=found.count, frames=found.frames),
        "",
        "| metric | Spearman's correlation |",
        "| --- | --- |",
        *(f"| {key} | {value:.2f} |" for key, value in rows),
        "",
    ]


def markdown(
    audits: Sequence[Audit], *, command: str, commit: str, minutes: float, agreement: Agreement | None = None
) -> str:
    """The page ``docs/metrics.md``."""
    lines = [
        INTRODUCTION,
        "## The audit",
        "",
        _AUDITED.format(command=command, commit=commit, minutes=minutes),
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "|" + " --- |" * len(_HEADINGS),
        *("| " + " | ".join(row(audit)) + " |" for audit in audits),
        "",
        "### How metrics behave",
        "",
        "| metric | check | value | passed | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for audit in audits:
        for check in audit.checks:
            if _behaves(check):
                value = "" if check.value is None else f"{check.value:.4g}"
                passed = {True: "yes", False: "**no**", None: "not judged"}[check.passed]
                lines.append(f"| {audit.key} | {check.name} | {value} | {passed} | {check.note} |")
    lines += ["", *(agreement_lines(agreement) if agreement else [])]
    return "\n".join([*lines, definitions()]).rstrip() + "\n"
