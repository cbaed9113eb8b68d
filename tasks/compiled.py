"""Small functions for processors, compiled by Numba at their first use and run on torch's own threads.

torch runs each of its operations by itself, so that a row goes through memory once per operation; a function here does
in one pass what belongs together. Numba brings its compiler along, the machine needs none. What it made is kept in
``$XDG_CACHE_HOME/hone/compiled`` (else ``~/.cache``) for all worktrees, by source, processor and versions.

A function gets one pointer, to its arguments: whole numbers first (addresses and sizes), then floats, eight bytes each.
It runs once on each thread of torch's OpenMP pool (GOMP_parallel of GNU libgomp) and takes its `share` of the work.
Threads of Numba's own would fight with that pool, whose idle threads spin.
"""

import ctypes
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from struct import Struct
from typing import Any, TypeVar, cast

import numpy as np
import torch
from llvmlite import binding, ir
from numba import carray, cfunc, config, njit, types
from numba.extending import intrinsic, overload
from torch import Tensor

from tasks.openmp import library

Inner = TypeVar("Inner", bound=Callable[..., Any])
MOST = 24  # arguments of a function
LOOSE = {"reassoc", "contract", "nsz", "arcp"}  # sums may be reordered; NaN stays NaN
BITS = {torch.bfloat16: np.uint16, torch.float32: np.float32}  # as which Numba, which has no bfloat16, sees numbers


class Locator:
    """Where Numba keeps what it compiled of this folder: one place for all worktrees, whatever the time of a file."""

    def __init__(self, function: Callable[..., Any], file: str, folder: Path) -> None:
        # What is defined in compiled*.py is compiled into its callers.
        sources = sorted({Path(file), *Path(__file__).parent.glob("compiled*.py")})
        # Each type and form that a function is made for has files of its own: Numba numbers those of one name, and two
        # processes that compile two of them at once would give both the same number.
        made_for = repr([cell.cell_contents for cell in function.__closure__ or ()])
        parts = [*(source.read_bytes() for source in sources), made_for.encode()]
        digest = hashlib.sha256(b"\0".join(parts)).hexdigest()
        self._folder, self._name = folder, f"{function.__code__.co_firstlineno}-{digest[:16]}"

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> "Locator | None":
        """One for a function of this folder; None for others, which keep Numba's own places."""
        if Path(file).parent != Path(__file__).parent:
            return None
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        for folder in (home / "hone" / "compiled", Path(tempfile.gettempdir()) / f"hone-compiled-{os.getuid()}"):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                tempfile.TemporaryFile(dir=folder).close()
                if folder.stat().st_uid != os.getuid():  # what lies there is run: only our own will do
                    continue
            except OSError:
                continue
            return cls(function, file, folder)
        return None

    def ensure_cache_path(self) -> None:
        """It is there since `from_function`."""

    def get_cache_path(self) -> str:
        """The folder."""
        return str(self._folder)

    def get_source_stamp(self) -> str:
        """What must be the same for a compiled function to be used."""
        return self._name

    def get_disambiguator(self) -> str:
        """What tells versions of a function apart in the folder."""
        return self._name


config.CACHE_LOCATOR_CLASSES = "tasks.compiled.Locator,UserProvidedCacheLocator,InTreeCacheLocator,UserWideCacheLocator"


class Function:
    """A compiled function; calling it runs it on all threads of torch and waits for them.

    Attributes:
        from_disk: whether it did not have to be compiled anew.
    """

    def __init__(self, body: Callable[[Any], None], whole: int, floats: int) -> None:
        """Compile ``body``, a function of the pointer to its arguments, or take it from the disk.

        Args:
            whole: how many whole numbers it gets; the addresses of tensors are among them.
            floats: how many floats behind them.

        Raises:
            RuntimeError: there is no GNU OpenMP; ask tasks.openmp before.
        """
        openmp = library()
        if openmp is None:
            raise RuntimeError("torch was built without GNU OpenMP")
        for name in ("GOMP_barrier", "omp_get_thread_num", "omp_get_num_threads"):
            binding.add_symbol(f"hone_{name}", ctypes.cast(getattr(openmp, name), ctypes.c_void_p).value)
        compiled = cfunc(types.void(types.voidptr), nopython=True, cache=True, fastmath=LOOSE, error_model="numpy")(
            body
        )
        self.from_disk = compiled.cache_hits > 0
        self._address = compiled.address
        self._compiled = compiled  # owns the code
        self._pack = Struct(f"{whole}q{floats}d").pack
        self._run = openmp.GOMP_parallel

    def __call__(self, *arguments: float | Tensor) -> None:
        """Run it; tensors must be contiguous, their addresses are handed over."""
        packed = self._pack(*(one.data_ptr() if isinstance(one, Tensor) else one for one in arguments))
        self._run(self._address, packed, torch.get_num_threads(), 0)


def function(whole: int, floats: int = 0) -> Callable[[Callable[[Any], None]], Function]:
    """Decorator: `Function` of what it stands over."""
    return lambda body: Function(body, whole, floats)


# What follows is for use within such functions.


def inner(body: Inner) -> Inner:
    """Decorator: a function that compiled functions call."""
    return cast(Inner, njit(fastmath=LOOSE)(body))


barrier = types.ExternalFunction("hone_GOMP_barrier", types.void())
thread = types.ExternalFunction("hone_omp_get_thread_num", types.int32())
threads = types.ExternalFunction("hone_omp_get_num_threads", types.int32())


@intrinsic  # type: ignore[untyped-decorator]
def _pointer(_: Any, address: Any) -> Any:  # noqa: ARG001, Numba goes by the names
    def generate(__: Any, builder: Any, ___: Any, values: Sequence[Any]) -> Any:
        return builder.inttoptr(values[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def from_bits(_: Any, value: Any) -> Any:  # noqa: ARG001
    """The float32 with these 32 bits."""

    def generate(__: Any, builder: Any, ___: Any, values: Sequence[Any]) -> Any:
        return builder.bitcast(values[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic  # type: ignore[untyped-decorator]
def to_bits(_: Any, value: Any) -> Any:  # noqa: ARG001
    """The 32 bits of a float32."""

    def generate(__: Any, builder: Any, ___: Any, values: Sequence[Any]) -> Any:
        return builder.bitcast(values[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@inner
def arguments(p: Any) -> tuple[Any, Any]:
    """The arguments, once as whole numbers and once as floats; their places count on through both."""
    return carray(p, MOST, np.int64), carray(p, MOST, np.float64)


@inner
def numbers(address: int, shape: Any, kind: Any) -> Any:
    """The array of ``shape`` at an address; ``kind`` is np.float32 or np.uint16, for example."""
    return carray(_pointer(address), shape, kind)


@inner
def share(count: Any) -> tuple[Any, Any]:
    """Begin and end of what this thread has to do of ``count`` things."""
    here, all_ = np.int64(thread()), np.int64(threads())
    return count * here // all_, count * (here + 1) // all_


def widen(value: Any) -> Any:
    """A number of the work type as float32."""
    raise NotImplementedError(value)


@overload(widen, strict=False)  # type: ignore[untyped-decorator]
def _widen(value: Any) -> Any:
    if value == types.uint16:
        return lambda value: from_bits(np.uint32(value) << np.uint32(16))
    return lambda value: value


def narrow(value: Any, kind: Any) -> Any:
    """A float32 as the work type, rounded to the nearest, ties to even."""
    raise NotImplementedError(value, kind)


@inner
def _to_bfloat16(value: Any) -> Any:
    bits = to_bits(value)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.uint16(rounded) if value == value else np.uint16(0x7FC0)


@overload(narrow, strict=False)  # type: ignore[untyped-decorator]
def _narrow(value: Any, kind: Any) -> Any:  # noqa: ARG001
    if kind.dtype == types.uint16:
        return lambda value, kind: _to_bfloat16(value)  # noqa: ARG005
    return lambda value, kind: np.float32(value)  # noqa: ARG005


@inner
def exponential(x: Any) -> Any:
    """e to the power of x, float32, x at most 88; coefficients of the Cephes library (Moshier 1992)."""
    x = max(x, np.float32(-87.0))
    n = np.rint(x * np.float32(1.44269504))
    z = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * z + np.float32(1.3981999507e-3)
    p = p * z + np.float32(8.3334519073e-3)
    p = p * z + np.float32(4.1665795894e-2)
    p = p * z + np.float32(1.6666665459e-1)
    p = p * z + np.float32(5.0000001201e-1)
    p = p * z * z + z + np.float32(1.0)
    return p * from_bits(np.uint32((np.int32(n) + np.int32(127)) << np.int32(23)))


@inner
def kept(index: Any, first: Any, second: Any, limit: Any) -> Any:
    """Whether dropout keeps the unit of this number: 32 random bits that follow from it and the two keys.

    A hash in place of a generator (counter-based random numbers, Salmon et al. 2011): the multipliers and shifts of the
    last mixing of MurmurHash3 (Appleby 2011), with the second key between its rounds.
    """
    h = np.uint32(np.uint32(np.uint32(index) + first) * np.uint32(0x9E3779B9))  # Numba widens each result
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(16)) ^ second) * np.uint32(0x85EBCA6B))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16))) >= limit
