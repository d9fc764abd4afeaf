"""``python -m tests.fuzz``: see :mod:`tests.fuzz.run`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import files
from tests.fuzz.child import OFFENCES
from tests.fuzz.readers import READERS
from tests.fuzz.run import Report, Task, run, supplies, tasks


def main() -> int:
    """Fuzzes, or replays one input.

    Returns:
        1 if there was an offence.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Feeds hostile files to every reader.")
    parser.add_argument("--inputs", type=int, default=12_000, help="how many altogether (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default: %(default)s)")
    parser.add_argument("--reader", action="append", choices=sorted(READERS), help="only this one; can be repeated")
    parser.add_argument("--jobs", type=int, default=2, help="processes that read (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="where offending inputs are put (default: a new temporary folder)")
    parser.add_argument("--replay", type=Path, metavar="PATH", help="read one kept input, or any file, once")
    arguments = parser.parse_args()
    keep = arguments.keep or Path(tempfile.mkdtemp(prefix="motioncopy-fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    if arguments.replay is not None:
        if len(arguments.reader or ()) != 1:
            parser.error("--replay needs the --reader")
        task = Task(arguments.reader[0], files.read(arguments.replay), valid=False, name="replayed")
        return _replayed(run(iter([task]), 1, keep, jobs=1, quiet=True))
    begun = time.monotonic()
    given = supplies(arguments.reader or list(READERS))
    report = run(tasks(given, arguments.inputs, arguments.seed), arguments.inputs, keep, jobs=arguments.jobs)
    return _told(report, keep, time.monotonic() - begun)


def _told(report: Report, keep: Path, seconds: float) -> int:
    """Prints what came of it."""
    print(report.table())
    total = sum(sum(counts.values()) for counts in report.counts.values())
    print(f"\n{total} inputs to {len(report.counts)} readers in {seconds:.0f} s.")
    for (reader, doubt), (count, first) in sorted(report.doubts.items()):
        print(f"\nPoorly said, no offence: {count} of {reader}: {doubt}: {first[:300]!a}")
    for (reader, kind, _), (count, detail, kept) in sorted(report.offences.items()):
        print(f"\n{kind.upper()} in {reader}, {count} times:")
        print("\n".join(f"    {line[:220]!a}"[:4] + ascii(line[:220])[1:-1] for line in detail.splitlines()[-9:]))
        print(f"    again: python -m tests.fuzz --reader {reader} --replay {kept[0]}")
    if report.offences:
        print(f"\nThe offending inputs lie in {keep}.")
    elif not any(keep.iterdir()):
        keep.rmdir()
    return 1 if report.offences else 0


def _replayed(report: Report) -> int:
    ((_, counts),) = report.counts.items()
    (kind,) = counts
    print(kind)
    for _, detail, _ in report.offences.values():
        print(detail)
    return 1 if kind in OFFENCES else 0


if __name__ == "__main__":
    sys.exit(main())
