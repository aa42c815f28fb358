"""The command ``multiome``: every verb's signature and docstring become a sub-command, its options and its help.

What Python calls positional is positional here, what it calls keyword-only is an option. Exit status 2 says that the
command line cannot be followed, 1 that the data cannot be worked on.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import docstring_parser
from jsonargparse import ArgumentParser, set_parsing_settings

from multiome.cli.demo import demo
from multiome.cli.predictions import impute, translate
from multiome.cli.verbs import embed, fit
from multiome.errors import MultiomeError, MultiomeWarning

VERBS: dict[str, Callable[..., None]] = {f.__name__: f for f in (fit, embed, translate, impute, demo)}
REPEATABLE = ("batch_key", "features", "batch")
"""Options that take several values: ``--batch_key donor --batch_key run``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (by default that of the process).

    Returns
    -------
    Exit status. Options that cannot be parsed end the process with status 2, ``--help`` with 0.
    """
    parser = build_parser()
    given = parser.parse_args(repeatable(sys.argv[1:] if arguments is None else arguments))
    try:
        # `instantiate_classes` is what jsonargparse before 4.49 called it
        values = getattr(parser, "instantiate", None) or parser.instantiate_classes
        call = values(given)[given.subcommand].as_dict()
    except ValueError as error:  # a configuration that forbids a value
        parser.error(str(error))
    with clean_terminal():
        try:
            VERBS[given.subcommand](**call)
        except MultiomeError as error:
            return complain(error, 1)
        except (FileNotFoundError, FileExistsError, PermissionError) as error:
            return complain(error, 2)
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            return 130
    return 0


def build_parser() -> ArgumentParser:
    """One sub-command per verb."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(
        prog="multiome",
        description="Integrate single-cell multi-omics data, and predict the modalities that were not measured.",
        version=own_version(),
        allow_abbrev=False,
    )
    commands = parser.add_subcommands(required=True, title="commands", metavar="COMMAND")
    for name, verb in VERBS.items():
        commands.add_subcommand(
            name, verb_parser(name, verb), help=docstring_parser.parse(verb.__doc__ or "").short_description
        )
    return parser


def own_version() -> str:
    """The installed version; a checkout that is only on the path has none."""
    try:
        return version("multiome")
    except PackageNotFoundError:
        return "(not installed)"


def verb_parser(name: str, verb: Callable[..., None]) -> ArgumentParser:
    """Positional parameters stay positional, keyword-only ones become options."""
    parameters = inspect.signature(verb).parameters.values()
    leading = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    needed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    doc = docstring_parser.parse(verb.__doc__ or "")
    told = {p.arg_name: p.description for p in doc.params}
    words = [*map(str.upper, leading), *(f"--{n} {n.upper()}" for n in needed)]
    parser = ArgumentParser(
        usage=" ".join(["multiome", name, *words, "[options]"]), description=doc.description, allow_abbrev=False
    )
    for argument in leading:
        parser.add_argument(argument, metavar=argument.upper(), type=Path, help=told[argument])
    parser.add_function_arguments(verb, as_positional=False, skip=set(leading), fail_untyped=True)
    return parser


def repeatable(arguments: Sequence[str]) -> list[str]:
    """Repeating an option adds a value (jsonargparse's ``--name+``), where the last would otherwise win unseen."""
    names = {f"--{name}" for name in REPEATABLE}
    split = (word.partition("=") for word in arguments)
    return [(name + "+" if name in names else name) + equals + value for name, equals, value in split]


def complain(error: Exception, status: int) -> int:
    """One message, no traceback: what happened stands in it."""
    print(f"Error ({type(error).__name__}): {error}", file=sys.stderr)
    return status


@contextmanager
def clean_terminal() -> Iterator[None]:
    """Only this package's warnings, each in one line; what other packages deprecate is not the user's concern."""

    def show(message: Any, *_: Any, **__: Any) -> None:
        print(f"Warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", MultiomeWarning)
        warnings.showwarning = show
        yield
