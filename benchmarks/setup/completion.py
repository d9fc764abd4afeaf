"""``motioncopy completion``: scripts by which shells complete commands, options and names."""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks import help_page
from benchmarks.bench import config_stack

SHELLS = ("bash", "zsh", "fish")

_INSTALL = """\
what to do with the script:
  bash   motioncopy completion bash > ~/.local/share/bash-completion/completions/motioncopy
  zsh    motioncopy completion zsh > DIR/_motioncopy, where DIR stands in $fpath before compinit
  fish   motioncopy completion fish > ~/.config/fish/completions/motioncopy.fish

The script is static: it costs no time, and is made again after an update."""


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "completion",
        help="print the script by which a shell completes",
        description="Prints a script by which a shell completes commands, options, files, and the names of methods, "
        "data sets, presets and overlays.",
        epilog=_INSTALL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Prints the script."""
    import shtab

    parser = args.whole_parser()
    _tell(parser, "", _names())
    print(shtab.complete(parser, args.shell))
    return 0


def _names() -> dict[str, list[str]]:
    """What an option takes, by its name; of a positional by its command and name."""
    methods = config_stack.methods()
    presets = {p for m in methods for p in config_stack.presets(m)}
    return {
        "method": methods,
        "data": config_stack.data_sets(),
        "preset": sorted(presets),
        "variant": sorted({v for m in methods for v in config_stack.variants(m)}),
        "ablation": sorted({a for m in methods for a in config_stack.ablations(m)}),
        "perception": _stems("motioncopy", "footage", "perception", "configs", suffix=".yaml"),
        "protocol show name": _stems("datamodules", "splits", suffix=".json"),
        "sample name": [n for n in _stems("datamodules", "miniatures", suffix=".py") if not n.startswith("_")],
    }


def _stems(package: str, *folders: str, suffix: str) -> list[str]:
    folder = files(package).joinpath(*folders)
    return sorted(f.name.removesuffix(suffix) for f in folder.iterdir() if f.name.endswith(suffix))


def _tell(parser: argparse.ArgumentParser, command: str, names: dict[str, list[str]]) -> None:
    """Adds to a parser, which is not run, what its arguments can be."""
    import shtab

    for action in parser._actions:
        known = names.get(action.dest if action.option_strings else f"{command} {action.dest}".strip())
        if action.choices is None and known:
            action.choices = known
        elif folder_or_file := _path(action):
            action.complete = getattr(shtab, folder_or_file)  # type: ignore[attr-defined]
    for name, one in help_page.commands(parser).items():
        _tell(one, f"{command} {name}".strip(), names)


def _path(action: argparse.Action) -> str | None:
    """``DIRECTORY`` or ``FILE`` where an argument is one, by its type and what its help calls it."""
    called = action.metavar if isinstance(action.metavar, str) else ""
    if called == "DIR" or (action.type is Path and not called) or action.dest == "data_root":
        return "DIRECTORY"
    return "FILE" if action.type is Path or called in ("FILE", "VIDEO") else None
