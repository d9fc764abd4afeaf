"""``motioncopy audit``: holds every metric against another implementation."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "audit",
        help="hold every metric against another implementation",
        description="Compares each metric with an implementation that is not its own, with itself on two processes, in "
        "other batches and types, and looks at what it makes of spoilt, shuffled and frozen videos. Networks have "
        "random weights where the real ones are not on this machine. Exit status 1 if anything fails.",
    )
    parser.add_argument(
        "metrics", nargs="*", default=["all"], help="all, or families and keys such as tcm, ssim/uniform"
    )
    parser.add_argument("--markdown", type=Path, default=None, metavar="FILE", help="write the page on metrics too")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Audits, prints, and writes the page.

    Returns:
        0 if all checks passed, else 1.

    Raises:
        ConfigError: If a metric is unknown.
    """
    from rich.console import Console

    from benchmarks.audit import opinions
    from benchmarks.audit.checks import audit
    from benchmarks.audit.report import markdown, terminal
    from benchmarks.progress import Reporter
    from motioncopy.metrics.catalogue import select
    from motioncopy.records.provenance import code

    keys, start = select(args.metrics), time.perf_counter()
    reporter, audits = Reporter("Metrics", len(keys)), []
    for count, key in enumerate(keys, start=1):
        audits.append(audit(key))
        reporter.update(count, key)
    reporter.close()
    agreement = opinions.agreement() if opinions.KEYS[0] in keys else None
    minutes = (time.perf_counter() - start) / 60
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    console.print(terminal(audits))
    if agreement is not None:
        values = ", ".join(f"{key} {value:.2f}" for key, value in agreement.correlation.items())
        print(f"Spearman's correlation with the opinions of TID2013, {agreement.count} kinds and strengths: {values}")
    failed = [(a.key, c) for a in audits for c in a.checks if c.passed is False]
    for key, check in failed:
        print(f"failed: {key}: {check.name}: {check.value} {check.note}")
    if args.markdown is not None:
        found = code()
        commit = f"{(found.commit or 'unknown')[:7]}{' with changes' if found.dirty else ''}"
        command = " ".join(["motioncopy audit", *(m for m in args.metrics if m != "all")])
        page = markdown(audits, command=command, commit=commit, minutes=minutes, agreement=agreement)
        args.markdown.write_text(page, encoding="utf-8")
        print(f"written: {args.markdown}")
    print(f"{len(audits)} metrics in {minutes:.1f} min, {len(failed)} checks failed")
    return 1 if failed else 0
