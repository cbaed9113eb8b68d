"""`hone serve`: the exported model behind HTTP."""

from functools import partial

from serving.model import Load
from serving.options import Options


def serve(options: Options) -> int:
    """Serve the model of ``options.model`` until SIGTERM or Ctrl-C.

    Raises:
        UserError: no model there, keys that others can read, or a port that is taken.
    """
    from serving.run import run

    run(options, load(options.threads))
    return 0


def load(threads: int) -> Load:
    """What opens the exported model of a folder with ``threads`` threads, 0 for one per core."""
    from serving.exported import Exported

    return partial(Exported, threads=threads)
