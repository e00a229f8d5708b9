"""How a script's `main` is run: whatever is no bug ends in one line and an exit code."""

import sys
from collections.abc import Callable

from helpers.base.errors import ending
from helpers.base.start import interruptible


def run_script(main: Callable[..., object], *args: object) -> None:
    """Run a script's entry point and end the process with its exit code.

    `main(*args)` may return an int exit code; any other result counts as success. What is no bug ends in one line, see
    `ending`; anything else in a traceback.
    """
    try:
        interruptible()
        code = main(*args)
    except (Exception, KeyboardInterrupt) as error:
        end = ending(error)
        if end is None:
            raise
    else:
        sys.exit(code if isinstance(code, int) else 0)
    # Here the exception is gone, and the progress bars that its frames held have ended their own line.
    print(end[0], file=sys.stderr)
    sys.exit(end[1])
