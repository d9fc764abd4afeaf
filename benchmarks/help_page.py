"""The page that ``motioncopy --help`` shows, and what a mistyped word may mean."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

PAGE = """\
usage: motioncopy COMMAND ...

Copy one person's motion onto another, and measure how well.

Begin here:
  motioncopy doctor                         is this machine ready, and if not, what to do
  motioncopy bench                          train, test and compare on the embedded puppets
  motioncopy copy --appearance A.mp4 --motion B.mp4 -o out.mp4
                                            one person moves like the other

Compare methods:
  motioncopy bench --method M --data D      one method on one data set; --dry-run says what would be done
  motioncopy suite remot/table4             run a table of a paper, here or on a cluster
  motioncopy evaluate --generated DIR --truth DIR
                                            score videos that any system made

Look at results:
  motioncopy table                          records as tables
  motioncopy report                         records as a report
  motioncopy records list | show ID | verify
                                            which runs there are, all of one, whether all are whole
  motioncopy dashboard                      runs and tables on Weights & Biases

Videos and data sets:
  motioncopy check VIDEO...                 what would go wrong with these videos
  motioncopy prepare VIDEO... --out DIR     joints, masks and backgrounds, once
  motioncopy sample NAME --out DIR          a miniature in a real data set's layout
  motioncopy protocol list | show NAME      who is trained on what, and what is asked of whom

Train by hand (each takes --config FILE, several times; later files win):
  motioncopy fit --config FILE... --run DIR
                                            train a method's stages in turn
  motioncopy test --run DIR                 generate and score the test trials
  motioncopy validate --run DIR             the same with the validation trials
  motioncopy predict --run DIR              generate them without needing a truth

Tools:
  motioncopy weights list | fetch NAME | add FILE [--sha256 HASH]
                                            networks of losses, metrics and perception
  motioncopy audit                          hold every metric against another implementation
  motioncopy completion bash | zsh | fish   let the shell complete commands, options and names

`motioncopy COMMAND --help` explains a command; `motioncopy --version` says which release this is.
Every command takes --limit NAME=VALUE, which lets a file be larger than usual, and --trust-package NAME, whose classes
a checkpoint may then name (SECURITY.md).

Exit status:
  0    all went well
  1    there is something to mend, which the message says; what was done is kept
  2    the call is wrong
  3    some files or runs failed, which the end says; the others are done
  130  stopped; the same command goes on from there
"""


class Parser(argparse.ArgumentParser):
    """Shows the page instead of a list of arguments."""

    def format_help(self) -> str:
        """The page."""
        return PAGE


def commands(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers below a parser, by name; none below one that takes no commands."""
    found = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    return {name: one for action in found for name, one in action.choices.items()}


def unknown_command(word: str, names: Iterable[str]) -> str:
    """What to say of a command that does not exist."""
    return f"there is no command {word!r}{_meant(word, names) or '; `motioncopy --help` lists them'}"


def unknown_arguments(words: Sequence[str], command: argparse.ArgumentParser) -> str:
    """What to say of arguments that a command does not take."""
    options = dict.fromkeys(_options(command))
    guesses = dict.fromkeys(_meant(word.partition("=")[0], options) for word in words if word.startswith("--"))
    if not words:
        return "no command is given; `motioncopy --help` lists them"
    return f"{command.prog} does not take {' '.join(words)}{''.join(guesses)}"


def _meant(word: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(names), n=3, cutoff=0.7)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _options(one: argparse.ArgumentParser) -> Iterator[str]:
    for action in one._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
    for below in commands(one).values():
        yield from _options(below)


def summary(name: str) -> str:
    """What the page says of a command, beside the call or below it."""
    found = re.search(rf"^  motioncopy {name}\b.*?(?:  +|\n +)(\S.*)$", PAGE, re.MULTILINE)
    assert found is not None, name
    return found[1]
