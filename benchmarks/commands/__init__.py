"""The commands of ``motioncopy``, one file each: ``add_parser`` describes it, ``run`` does it."""

from types import ModuleType

from benchmarks.commands import (
    audit,
    bench,
    check,
    completion,
    copy,
    dashboard,
    doctor,
    evaluate,
    prepare,
    protocol,
    records,
    sample,
    suite,
    weights,
)
from benchmarks.report import command as report
from benchmarks.tables import command as table

#: In the order in which ``motioncopy --help`` lists them.
COMMANDS: tuple[ModuleType, ...] = (
    bench,
    suite,
    copy,
    evaluate,
    audit,
    check,
    prepare,
    sample,
    protocol,
    table,
    records,
    report,
    dashboard,
    weights,
    doctor,
    completion,
)
