"""A command of hone as a process: its lines as they come, its end when we end."""

import os
import subprocess
import sys
from collections.abc import Callable

from tasks.errors import UserError

PATIENCE = 20  # seconds that a command has to tidy up when it is told to end


def hone(words: list[str], say: Callable[[str], None]) -> str:
    """Run ``hone WORDS`` in the current folder and hand on each line; the last one.

    Raises:
        UserError: it ended with an error; the message is its own.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hone", *words],
        env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    last = ""
    try:
        for line in process.stdout or ():
            if line.strip():
                last = line.strip()
                say(line.rstrip())
        code = process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    finally:
        if process.stdout:
            process.stdout.close()
    if code != 0:
        raise UserError(last.removeprefix("error: ") or f"hone {words[0]} ended with {code}")
    return last
