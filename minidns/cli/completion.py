"""`minidns completion`: the script that completes commands and options in a shell, made from the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

SHELLS = ("bash", "zsh", "fish")
_HOW = """\
bash:  eval "$(minidns completion bash)"        in ~/.bashrc
zsh:   eval "$(minidns completion zsh)"         in ~/.zshrc, behind compinit
fish:  minidns completion fish | source         in ~/.config/fish/config.fish"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS)
    parser.epilog = _HOW
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    """Print the script for `arguments.shell`. parser: that of the whole command line."""
    for action in _actions(parser):
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            _list_all(action)
    print(shtab.complete(parser, arguments.shell))
    return 0


def _list_all(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What help does not list, to fit a screen, is completed all the same; shtab goes by that list."""
    listed = {one.dest for one in commands._get_subactions()}
    for name, inner in commands.choices.items():
        if name not in listed:
            commands._choices_actions.append(commands._ChoicesPseudoAction(name, (), inner.description))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
