"""The verbs on the command line."""

from multiome.cli.command import main as main
