"""Errors that a user can mend, shown as one line instead of a traceback."""

import sys


class UserError(Exception):
    """Something outside the code is wrong. The message is one line that names the file, row, value and rule."""


def run_script(main, *args):
    """Run a script's entry point and end the process with its exit code: a `UserError` is printed as one line, code 1.

    `main(*args)` may return an int exit code; any other result counts as success. Ctrl-C ends with code 130.
    """
    try:
        code = main(*args)
    except UserError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted. Finished files are kept; run the same command again to continue.", file=sys.stderr)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
