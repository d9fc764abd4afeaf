"""The page: one HTML file with its style, its script and its data in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from benchmarks.tables.grid import lowered
from motioncopy.metrics.bootstrap import NOTE

#: Stands in the page, and tells a report from anything else that may lie in a folder.
GENERATOR = "motioncopy report"
#: In this order they make up the page's script; each relies on those before it only.
_SCRIPTS = ("core.js", "panel.js", "cost.js", "player.js", "curves.js", "clips.js", "main.js")


def render(data: Mapping[str, Any], **shown: Any) -> str:
    """The page as HTML. All that comes from records is escaped.

    Args:
        data: What the script knows: see :mod:`benchmarks.report.provenance` and :mod:`benchmarks.report.clips`.
        shown: What the templates show besides, by its name in them.
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
        generator=GENERATOR,
        style=Markup((assets / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        # The page runs this script, its clips' curves, and no other; it loads nothing from anywhere but its folder.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=data,
        significance=NOTE,
        count=len(records),
        newest=max((r["created"] for r in records), default=""),
        **shown,
    )


def _raised(signs: str) -> Markup:
    """Signs of footnotes: those that are raised letters are too small on a page."""
    plain = lowered(signs)
    return escape(signs) if plain == signs else Markup("<sup>{}</sup>").format(plain)
