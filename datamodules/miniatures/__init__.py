"""Miniatures: small data sets of puppets in exactly the layouts in which the real ones come.

One module a data set, named like it, with ``write(out)``. They exist so that every loader runs and is tested without
the data; their scores say nothing about the data set, which is why a miniature is marked and named in every record.
"""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp

from datamodules.native import MINIATURE
from motioncopy.errors import DataError
from motioncopy.files.documents import read_json

#: Raised by any change that moves a pixel or a file of a miniature.
VERSION = 1


def names() -> list[str]:
    """The data sets that have a miniature."""
    modules = files(__package__).iterdir()
    return sorted(m.name.removesuffix(".py") for m in modules if m.name.endswith(".py") and not m.name.startswith("_"))


def write(name: str, out: Path) -> None:
    """Writes a miniature, in whole or not at all; one of this version that is there already stays.

    Args:
        name: The data set's name.
        out: Its root, which must not exist, be empty, or hold this miniature.

    Raises:
        DataError: If there is no such miniature, or something else lies at ``out``.
    """
    if name not in names():
        raise DataError(f"there is no miniature of {name!r}", expected=f"one of {', '.join(names())}")
    marker = {"data": name, "miniature": VERSION}
    if (out / MINIATURE).is_file() and read_json(out / MINIATURE, error=DataError, remedy=f"remove {out}") == marker:
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(
            f"{out} is not empty",
            expected=f"no such folder, or the miniature of {name} of this version",
            remedy="choose another folder, or remove it",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        import_module(f"{__package__}.{name}").write(aside)
        (aside / MINIATURE).write_text(json.dumps(marker) + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        aside.rename(out)
        out.chmod(0o755)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
