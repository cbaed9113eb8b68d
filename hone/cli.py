"""`hone`: the script, and what becomes of errors."""

import errno
import os
import sys

from hone.terminal import paint
from tasks.errors import UserError


def main() -> None:
    """The script `hone`: 0 done, 1 a UserError or a failed check, 2 wrong usage, 130 interrupted."""
    try:
        _run()
    except UserError as error:
        sys.stderr.write(f"{paint('error:', 'red', sys.stderr)} {error}\n")
        sys.exit(1)
    except BrokenPipeError:  # a reader that left (``hone try x | head -1``); _flush keeps Python quiet about it
        sys.exit(0)
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(
            f"{paint('error:', 'red', sys.stderr)} {error.filename}: {error.strerror}; "
            "'hone doctor' looks at disk and rights\n"
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        _flush()


def _run() -> None:
    """Run the command; a plain `hone try` without the library of commands, which loads as long as that answers."""
    if sys.argv[1:2] == ["try"]:
        from hone.plain_try import plain

        if (given := plain(sys.argv[2:])) is not None:
            from hone.commands.project import project
            from hone.try_ import try_

            with project():
                code = try_(**given)
            sys.exit(code)
    from hone.app import app

    app(prog_name="hone")


def _flush() -> None:
    """Flush stdout; a reader that left (``hone why x | head -1``) is no error worth a traceback."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
