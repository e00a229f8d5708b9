"""The parameters of a run, for every script: PARAMETERS.py, the data set and the command line brought together."""

from collections.abc import Callable, Iterable
from typing import Any

from helpers.base.script import run_script
from helpers.config.command_line import argument_parser
from helpers.config.load import load
from helpers.config.schema import Parameters
from helpers.dataset.derived import derive_unnamed


def load_parameters(
    settings: Iterable[str] = (), source: Any = None, stored: dict[str, Any] | None = None
) -> Parameters:
    """The parameters of one run, see `helpers.config.load.load`; where nobody names the classes, the data set does."""
    return load(settings, source, stored, derive_unnamed)


def run_step(
    main: Callable[[Parameters], Any], description: str, exit_code: Callable[[Any], int] = lambda result: 0
) -> None:
    """Run a step whose `main(params)` needs nothing but parameters, from the command line.

    Args:
        exit_code: from what `main` returned to the exit code of the script.
    """
    arguments = argument_parser(description).parse_args()
    run_script(lambda: exit_code(main(load_parameters(arguments.settings))))
