"""The console script ``motioncopy``: its commands by name, and what each way of ending is answered with."""

from __future__ import annotations

import argparse
import errno
import os
import select
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

from benchmarks import help_page
from motioncopy.errors import MotionCopyError
from motioncopy.files.limits import raise_limit

_LIGHTNING = "benchmarks.training.command"  # parsed by Lightning's own command line; listed and completed by ours
#: Each command's module, which has ``add_parser`` and sets ``run_command``; imported when the command is called.
COMMANDS = {
    "bench": "benchmarks.bench.command",
    "suite": "benchmarks.suites.command",
    "copy": "benchmarks.copy.command",
    "evaluate": "benchmarks.evaluation.command",
    "audit": "benchmarks.audit.command",
    "check": "benchmarks.inputs.check",
    "prepare": "benchmarks.inputs.prepare",
    "sample": "benchmarks.inputs.sample",
    "protocol": "benchmarks.inputs.protocol",
    "table": "benchmarks.tables.command",
    "records": "benchmarks.records.command",
    "report": "benchmarks.report.command",
    "dashboard": "benchmarks.loggers.dashboard",
    "weights": "benchmarks.setup.weights",
    "doctor": "benchmarks.setup.doctor",
    "completion": "benchmarks.setup.completion",
    "fit": _LIGHTNING,
    "validate": _LIGHTNING,
    "test": _LIGHTNING,
    "predict": _LIGHTNING,
}

_WRONG_CALL = 2
_TERMINATED = 128 + signal.SIGTERM
# What a shell says of a command whose reader went away: `motioncopy records list | head`.
_NO_READER = 141
_ROOM, _OTHER_PLACE = "make room there, or choose another folder", "choose a folder that you may write to"
#: What only the user can mend, and how.
_MACHINE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "choose another file system, or allow larger files (ulimit -f)",
    errno.EROFS: _OTHER_PLACE,
    errno.EACCES: _OTHER_PLACE,
    errno.EPERM: _OTHER_PLACE,
    errno.EMFILE: "allow more open files (ulimit -n 4096), or take fewer files at once",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: What stands behind ``motioncopy``; ``None`` reads the command line.

    Returns:
        0 if all went well, 1 if something that the user can mend went wrong, 2 for a wrong call, 3 if some files or
        runs failed and the rest is done, 130 if stopped.
    """
    # For the processes that Lightning starts by the command line of this one: no module from where one happens to be.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        return _run(_without_general(list(sys.argv[1:] if arguments is None else arguments)))
    except MotionCopyError as error:
        print(f"motioncopy: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        return _NO_READER
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        print(f"motioncopy: {_machine(error)}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit) as stop:
        # Lightning's trainers turn an interruption into an exit, and SIGTERM into one without a status.
        if type(stop).__name__ == "SIGTERMException":
            print("motioncopy: ended by SIGTERM; the same command goes on from here", file=sys.stderr)
            return _TERMINATED
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, KeyboardInterrupt):
            return stop.code if isinstance(stop.code, int) else 0  # a parser has said what is wrong, or helped
        print("motioncopy: stopped; the same command goes on from here", file=sys.stderr)
        return 130


def _without_general(arguments: list[str]) -> list[str]:
    """Obeys the options that every command takes, wherever they stand, and gives the others back."""
    rest, following = [], iter(arguments)
    for argument in following:
        name, equals, value = argument.partition("=")
        if name not in ("--trust-package", "--limit"):
            rest.append(argument)
            continue
        setting = value if equals else next(following, "")
        if name == "--limit":
            raise_limit(setting)
        else:
            from motioncopy.building import trust_package  # brings the config parser along, which takes a while

            trust_package(setting)
    return rest


def _machine(error: OSError) -> MotionCopyError:
    """What the machine lacks, where nobody has said it better before."""
    where = f" ({error.filename})" if error.filename else ""
    return MotionCopyError(f"{error.strerror}{where}", remedy=_MACHINE[error.errno or 0])


def parser(names: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of these commands; by default of all."""
    top = help_page.Parser(prog="motioncopy", usage="motioncopy COMMAND ...")
    top.add_argument("--version", action="store_true", help="say which release this is")
    # Taken away before anything is parsed; here to be completed.
    top.add_argument("--limit", metavar="NAME=VALUE", help="let a file be larger than usual")
    top.add_argument("--trust-package", metavar="NAME", help="let checkpoints name its classes")
    top.set_defaults(whole_parser=parser)
    subparsers = top.add_subparsers(
        dest="command", metavar="COMMAND", prog="motioncopy", parser_class=argparse.ArgumentParser
    )
    for module in dict.fromkeys(COMMANDS[name] for name in names):
        import_module(module).add_parser(subparsers)
    return top


def _run(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help"):
        print(help_page.PAGE, end="")
        return 0
    if not first.startswith("-") and first not in COMMANDS:
        return _refuse(help_page.unknown_command(first, COMMANDS))
    if COMMANDS.get(first) == _LIGHTNING:
        return int(import_module(_LIGHTNING).run(arguments))
    top = parser([first] if first in COMMANDS else COMMANDS)
    parsed, unknown = top.parse_known_args(arguments)
    if parsed.version:
        print(_version())
        return 0
    if unknown or parsed.command is None:
        return _refuse(help_page.unknown_arguments(unknown, help_page.commands(top).get(parsed.command, top)))
    status = int(parsed.run_command(parsed))
    sys.stdout.flush()  # while a reader who is gone can still be noticed
    return status


def _refuse(message: str) -> int:
    print(f"motioncopy: {message}", file=sys.stderr)
    return _WRONG_CALL


def _version() -> str:
    from motioncopy.records.provenance import code

    found = code()
    commit = f", commit {found.commit[:7]}{' with changes' if found.dirty else ''}" if found.commit else ""
    return f"motioncopy {found.version}{commit}"


def _reader_is_gone() -> bool:
    """Whether it is our own output that nobody reads; what is left of it is then dropped."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # an error is told of without being asked for
    gone = any(event & select.POLLERR for _, event in output.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone


if __name__ == "__main__":
    sys.exit(main())
