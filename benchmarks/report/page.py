"""The page: one HTML file with its style, its script and its data in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from benchmarks import significance
from benchmarks.report.folder import GENERATOR
from benchmarks.report.measured import Comparison, Table

#: In this order they make up the page's script; each relies on those before it only.
_SCRIPTS = ("core.js", "panel.js", "cost.js", "player.js", "curves.js", "clips.js", "main.js")


@dataclass(frozen=True)
class Section:
    """A further section of the page, such as a comparison with the papers.

    Attributes:
        id: Its fragment.
        title: What the page's menu calls it.
        template: A file of ``templates``.
        content: What the template is given, as ``content``.
    """

    id: str
    title: str
    template: str
    content: Any


def render(
    title: str,
    tables: Sequence[Table],
    comparisons: Sequence[Comparison],
    hindered: Sequence[str],
    data: Mapping[str, Any],
    aside: Sequence[tuple[str, str]],
    further: Sequence[Section] = (),
) -> str:
    """The page as HTML. All that comes from records is escaped.

    Args:
        title: Its heading.
        tables: What was measured.
        comparisons: What parts are worth.
        hindered: Why other ablations could not be compared.
        data: What the script knows: see :mod:`benchmarks.report.provenance` and :mod:`benchmarks.report.clips`.
        aside: Run folders whose clips are not shown, and why.
        further: Further sections, behind the ablations.
    """
    assets = files("benchmarks.report") / "assets"
    script = "(() => {\n" + "\n".join((assets / n).read_text(encoding="utf-8") for n in _SCRIPTS) + "})();\n"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    records = data["records"].values()
    return environment.get_template("page.html.j2").render(
        title=title,
        generator=GENERATOR,
        style=Markup((assets / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        # The page runs this script, its clips' curves, and no other; it loads nothing from anywhere but its folder.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        tables=tables,
        comparisons=comparisons,
        hindered=hindered,
        data=data,
        aside=aside,
        further=further,
        significance=significance.NOTE,
        count=len(records),
        newest=max((r["created"] for r in records), default=""),
    )


def _template(name: str) -> str | None:
    path = files("benchmarks.report") / "templates" / name
    return path.read_text(encoding="utf-8") if path.is_file() else None
