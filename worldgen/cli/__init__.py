"""The command line: `worldgen --help` teaches it."""

from worldgen.cli.app import main

__all__ = ["main"]
