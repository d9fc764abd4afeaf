"""``motioncopy records``: what lies in folders of records."""

from pathlib import Path

#: The committed records.
RESULTS = Path(__file__).parents[1] / "results"
