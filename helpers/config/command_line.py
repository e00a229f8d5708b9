"""What the command line of every script has: --set NAME=VALUE ..., and --keep."""

import argparse
from typing import Any, NoReturn

from helpers.config.kept import ToKeep


class _Parser(argparse.ArgumentParser):
    def parse_known_args(self, *arguments: Any) -> Any:  # type: ignore[override] # hands on what argparse itself gives
        """As ever, and with --keep the settings are `ToKeep`."""
        namespace: argparse.Namespace
        namespace, rest = super().parse_known_args(*arguments)
        if vars(namespace).pop("keep", False):
            if not namespace.settings:
                self.error("--keep: keeps what --set says; say something there")
            namespace.settings = list(map(ToKeep, namespace.settings))
        return namespace, rest

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments") and "=" in message:
            message += "; parameters follow --set"
        super().error(message)


def argument_parser(description: str | None, keeps: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that every script has: --set name=value ..., and, if it `keeps`, --keep."""
    parser = _Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    if keeps:
        parser.add_argument(
            "--keep", action="store_true", help="keep what --set says, in data/<dataset>/parameters.txt"
        )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", dest="settings",
        help="parameters of PARAMETERS.py with another value for this run",
    )  # fmt: skip
    return parser
