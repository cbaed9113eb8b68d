"""One checkpoint on the disk: a folder with tensors.safetensors, state.json and checksums.json, there whole or not.

The safetensors file is written here, not by its library, to hash the bytes on their way and to write them at the speed
of the disk (its format: 8 bytes of length, a JSON header, the tensors' bytes); the library reads it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

TENSORS, STATE, CHECKSUMS = "tensors.safetensors", "state.json", "checksums.json"
PART = ".part"  # ending of what is being written or removed
DTYPES = {
    "bfloat16": "BF16",
    "bool": "BOOL",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "int8": "I8",
    "uint8": "U8",
}


def write_checkpoint(folder: Path, tensors: Mapping[str, "torch.Tensor"], state: Any) -> None:
    """Make ``folder`` with all its files, safe on the disk when this returns. It must not be there yet.

    Raises:
        OSError: the disk refused; nothing stays behind.
        ValueError: a tensor that cannot be written, or a state that would not be equal when read back.
    """
    text = json.dumps(state, allow_nan=False, sort_keys=True)
    if json.loads(text) != state:
        raise ValueError("the state of a checkpoint changes through JSON: a tuple, or a key that is not a string")
    contents = {TENSORS: _tensor_file(tensors), STATE: iter([text.encode()])}
    part = folder.with_name(folder.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        written = {name: _write(part / name, chunks) for name, chunks in contents.items()}
        _write(part / CHECKSUMS, iter([_checksums(written)]))
        _sync_folder(part)
        part.rename(folder)
        _sync_folder(folder.parent)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        raise


def read_checkpoint(folder: Path) -> tuple[dict[str, "torch.Tensor"], Any]:
    """Tensors, in memory of the processor, and state. Ask ``damage`` first."""
    from safetensors.torch import load_file

    return load_file(folder / TENSORS), json.loads((folder / STATE).read_bytes())


def damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint, or None; every byte is read."""
    try:
        stored = (folder / CHECKSUMS).read_bytes()
        found = {name: _checksum(folder / name) for name in (TENSORS, STATE)}
    except OSError as error:
        return f"{Path(error.filename or folder).name}: {error.strerror}"
    return None if stored == _checksums(found) else "its files do not fit its checksums"


def discard(folder: Path) -> None:
    """Remove a checkpoint so that a crash leaves it whole or named as a part, never with files missing."""
    part = folder.with_name(folder.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    with suppress(OSError):
        shutil.rmtree(folder.rename(part))


def bytes_of(tensors: Mapping[str, "torch.Tensor"]) -> int:
    """Bytes that the tensors take in a checkpoint."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _tensor_file(tensors: Mapping[str, "torch.Tensor"]) -> Iterator[Any]:
    """The bytes of a safetensors file, piece by piece; wide types first, so that each tensor lies aligned."""
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {}
    offset = 0
    for name in order:
        tensor = tensors[name]
        dtype = str(tensor.dtype).removeprefix("torch.")
        if dtype not in DTYPES or str(tensor.layout) != "torch.strided" or name == "__metadata__":
            raise ValueError(f"tensor {name!r} of a checkpoint: {tensor.dtype}, {tensor.layout} cannot be written")
        end = offset + bytes_of({name: tensor})
        header[name] = {"dtype": DTYPES[dtype], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def chunks() -> Iterator[Any]:
        yield len(text).to_bytes(8, "little") + text
        for name in order:
            yield _bytes(tensors[name])

    return chunks()


def _bytes(tensor: "torch.Tensor") -> Any:
    """A view of a tensor's bytes; a copy only where it lies elsewhere or scattered."""
    import torch

    return tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy()


def _write(path: Path, chunks: Iterable[Any]) -> dict[str, Any]:
    """Write a file down to the disk, hashed on the way; its checksum."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def _checksum(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def _checksums(files: dict[str, dict[str, Any]]) -> bytes:
    return (json.dumps(files, indent=2, sort_keys=True) + "\n").encode()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
