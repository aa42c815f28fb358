"""The command ``multiome``: every verb's signature and docstring become a sub-command, its options and its help.

What Python calls positional is positional here, what it calls keyword-only is an option.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

import docstring_parser
from jsonargparse import ArgumentParser, set_parsing_settings

from multiome.cli.checks import UsageError
from multiome.cli.demo import demo
from multiome.cli.evaluate import evaluate
from multiome.cli.links import links
from multiome.cli.novelty import novelty
from multiome.cli.predictions import denoise, impute, translate
from multiome.cli.verbs import embed, fit
from multiome.cli.words import as_options, missing, plain
from multiome.errors import MultiomeError, MultiomeWarning

VERBS: dict[str, Callable[..., None]] = {
    f.__name__: f for f in (fit, embed, translate, impute, denoise, evaluate, novelty, links, demo)
}
REPEATABLE = ("batch_key", "continuous", "features", "batch")
"""Options that take several values: ``--batch_key donor --batch_key run``."""
STATUS = """
Exit status: 0 done; 1 the data or the model cannot be worked on; 2 the command line cannot be followed (a command, an
option, or a path that is missing or must not be replaced), and nothing was begun; 130 interrupted.
""".strip()


class Parser(ArgumentParser):
    """jsonargparse's, with complaints in the words of the command line."""

    command = "multiome"
    positional: Sequence[str] = ()
    verbs: Mapping[str, Parser] = {}
    """The sub-commands."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Usage, complaint, and where to read more; ends the process with status 2."""
        parser = getattr(ex, "subcommand_parser", None) or self
        _, lacking, names = message.partition("the following arguments are required: ")
        if lacking:
            name = names.partition(".")[0]
            parser = self.verbs.get(name, parser)
            message = missing([n.removeprefix(f"{name}.") for n in names.split(", ")], parser.positional)
        elif '"subcommand"' in message:
            message = f"say which command: {', '.join(self.verbs)}."
        parser.print_usage(sys.stderr)
        self.exit(2, f"error: {plain(message)}\ntip: {parser.command} --help tells every option.\n")


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
        parser.verbs[given.subcommand].error(str(error))
    with clean_terminal():
        try:
            VERBS[given.subcommand](**call)
        except MultiomeError as error:
            return complain(error, 1)
        except (UsageError, FileNotFoundError, FileExistsError, PermissionError) as error:
            return complain(error, 2)
        except OSError as error:  # a disk that is full, or gone
            return complain(error, 1)
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            return 130
    return 0


def build_parser() -> Parser:
    """One sub-command per verb."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = Parser(
        prog="multiome",
        usage="multiome COMMAND ... [options]",
        description="Integrate single-cell multi-omics data, and predict the modalities that were not measured.",
        epilog=STATUS,
        version=own_version(),
        allow_abbrev=False,
    )
    commands = parser.add_subcommands(required=True, title="commands", metavar="COMMAND")
    parser.verbs = {name: verb_parser(name, verb) for name, verb in VERBS.items()}
    for name, command in parser.verbs.items():
        commands.add_subcommand(name, command, help=(command.description or "").partition("\n")[0])
    return parser


def own_version() -> str:
    """The installed version; a checkout that is only on the path has none."""
    try:
        return version("multiome")
    except PackageNotFoundError:
        return "(not installed)"


def verb_parser(name: str, verb: Callable[..., None]) -> Parser:
    """Positional parameters stay positional, keyword-only ones become options."""
    parameters = inspect.signature(verb).parameters.values()
    leading = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    needed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    doc = docstring_parser.parse(verb.__doc__ or "")
    told = {p.arg_name: p.description for p in doc.params}
    words = [*map(str.upper, leading), *(f"--{n} {n.upper()}" for n in needed)]
    parser = Parser(
        usage=" ".join(["multiome", name, *words, "[options]"]), description=doc.description, allow_abbrev=False
    )
    parser.command, parser.positional = f"multiome {name}", leading
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
    print(f"Error ({type(error).__name__}): {as_options(str(error))}", file=sys.stderr)
    return status


@contextmanager
def clean_terminal() -> Iterator[None]:
    """Only this package's warnings, each in one line; what other packages deprecate is not the user's concern."""

    def show(message: Any, *_: Any, **__: Any) -> None:
        print(f"Warning: {as_options(str(message))}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", MultiomeWarning)
        warnings.showwarning = show
        yield
