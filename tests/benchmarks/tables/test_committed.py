"""What the docs show of the committed records is what the command prints of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.records import RESULTS
from motioncopy.records import read_all

DOCS = sorted((Path(__file__).parents[3] / "docs/results").glob("*.md"))


def test_every_committed_record_is_whole() -> None:
    assert len(read_all(RESULTS)) > 20


@pytest.mark.parametrize("page", DOCS, ids=[page.stem for page in DOCS])
def test_a_page_of_the_docs_is_what_the_command_prints(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paper, table, data = page.stem.split("-")
    assert main(["table", "--table", f"{paper}/{table}", "--data", data, "--format", "markdown"]) == 0
    printed = capsys.readouterr().out
    # Its first lines say what it is and how it was made.
    assert page.read_text(encoding="utf-8").partition("\n\n")[2].strip() == printed.strip()
