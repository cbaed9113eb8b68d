"""The threads that torch computes with on a processor, for compiled functions to run on (tasks/compiled.py)."""

import ctypes
import functools
from typing import Any

NAMES = ("GOMP_parallel", "GOMP_barrier", "omp_get_thread_num", "omp_get_num_threads")


@functools.cache
def library() -> Any:
    """GNU OpenMP as torch has loaded it, or None where torch has another, as on macOS."""
    import torch  # noqa: F401, loads it for all

    found = ctypes.CDLL(None)
    if not all(hasattr(found, name) for name in NAMES):
        return None
    found.GOMP_parallel.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint, ctypes.c_uint)
    found.GOMP_parallel.restype = None
    return found


def available() -> bool:
    """Whether compiled functions can run here; else torch's own operations have to do."""
    return library() is not None
