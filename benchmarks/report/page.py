"""The page: one HTML file with its style, its script and its data in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from benchmarks.papers import Paper
from benchmarks.report.groups import RecordGroup
from benchmarks.report.tables import Shown
from benchmarks.tables.grid import Note, lowered
from motioncopy.metrics.bootstrap import NOTE

#: Stands in the page, and tells a report from anything else that may lie in a folder.
GENERATOR = "motioncopy report"
#: In this order they make up the page's script; each relies on those before it only.
_SCRIPTS = ("core.js", "panel.js", "cost.js", "player.js", "curves.js", "clips.js", "main.js")


def render(
    title: str,
    results: Sequence[tuple[RecordGroup, Sequence[Shown], Sequence[Note]]],
    ablations: Sequence[Shown],
    hindered: Sequence[str],
    papers: Sequence[tuple[Paper, Sequence[Shown]]],
    data: Mapping[str, Any],
    aside: Sequence[tuple[str, str]],
) -> str:
    """The page as HTML. All that comes from records is escaped.

    Args:
        title: Its heading.
        results: What was measured: for each group its tables and the notes below them.
        ablations: What parts are worth.
        hindered: Why other ablations could not be compared.
        papers: The tables of each paper, beside what was measured.
        data: What the script knows: see :mod:`benchmarks.report.provenance` and :mod:`benchmarks.report.clips`.
        aside: Run folders whose clips are not shown, and why.
    """
    assets = files("benchmarks.report") / "assets"
    script = "(() => {\n" + "\n".join((assets / n).read_text(encoding="utf-8") for n in _SCRIPTS) + "})();\n"
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("benchmarks.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["raised"] = _raised
    records = data["records"].values()
    return environment.get_template("page.html.j2").render(
        title=title,
        generator=GENERATOR,
        style=Markup((assets / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        # The page runs this script, its clips' curves, and no other; it loads nothing from anywhere but its folder.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        results=results,
        ablations=ablations,
        hindered=hindered,
        papers=papers,
        data=data,
        aside=aside,
        significance=NOTE,
        count=len(records),
        newest=max((r["created"] for r in records), default=""),
    )


def _raised(signs: str) -> Markup:
    """Signs of footnotes: those that are raised letters are too small on a page."""
    plain = lowered(signs)
    return escape(signs) if plain == signs else Markup("<sup>{}</sup>").format(plain)
