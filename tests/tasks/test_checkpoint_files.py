"""One checkpoint on the disk: every bit comes back, and damage of any kind is seen."""

import errno
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tasks.checkpoint_files import (
    CHECKSUMS,
    DTYPES,
    STATE,
    TENSORS,
    bytes_of,
    damage,
    discard,
    read_checkpoint,
    write_checkpoint,
)

FILES = (TENSORS, STATE, CHECKSUMS)


def bits(tensor: torch.Tensor) -> list[int]:
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


def all_kinds() -> dict[str, torch.Tensor]:
    numbers = torch.randn(7, 5)
    numbers[0, :3] = torch.tensor([float("nan"), float("-inf"), -0.0])
    grid = torch.arange(12, dtype=torch.int64).reshape(3, 4)
    return {
        "fp32": numbers,
        "bf16": numbers.to(torch.bfloat16),
        "fp64": numbers.double(),
        "int64": torch.tensor([2**63 - 1, -(2**63)]),
        "uint8": torch.arange(256, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "transposed": grid.t(),
        "sliced": grid[:, 1:3],
        "the same again": grid,
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "random state": torch.get_rng_state(),
        "név ü": torch.ones(1, dtype=torch.int16),
    }


def test_every_bit_comes_back(tmp_path: Path) -> None:
    tensors = all_kinds()
    state = {"loss": 0.1 + 0.2, "best": None, "text": "ß\n", "list": [1, 2.5, {"a": True}], "large": 2**70}
    write_checkpoint(tmp_path / "one", tensors, state)
    found, found_state = read_checkpoint(tmp_path / "one")
    assert found_state == state
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        assert bits(found[name]) == bits(tensor.detach()), name


def test_random_numbers_go_on_where_they_were(tmp_path: Path) -> None:
    torch.manual_seed(1)
    torch.rand(5)
    write_checkpoint(tmp_path / "one", {"random": torch.get_rng_state()}, {})
    expected = torch.randn(20)
    torch.manual_seed(2)
    torch.set_rng_state(read_checkpoint(tmp_path / "one")[0]["random"])
    assert torch.equal(torch.randn(20), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_library_reads_each_dtype(tmp_path: Path, dtype: str) -> None:
    tensor = torch.tensor([1, 0, 1]).to(getattr(torch, dtype))
    write_checkpoint(tmp_path / "one", {"a": tensor, "b": torch.ones(3, dtype=torch.uint8)}, {})
    found = load_file(tmp_path / "one" / TENSORS)
    assert found["a"].dtype == tensor.dtype and torch.equal(found["a"], tensor)


def test_no_tensors_at_all(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one", {}, {"a": 1})
    assert damage(tmp_path / "one") is None
    assert read_checkpoint(tmp_path / "one") == ({}, {"a": 1})


def test_what_was_read_can_be_changed_without_touching_the_file(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one", {"a": torch.zeros(1000)}, {})
    read_checkpoint(tmp_path / "one")[0]["a"].add_(1)
    assert damage(tmp_path / "one") is None
    assert not read_checkpoint(tmp_path / "one")[0]["a"].any()


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    tensors = all_kinds()
    write_checkpoint(tmp_path / "one", tensors, {"a": 1, "b": 2})
    write_checkpoint(tmp_path / "two", dict(reversed(tensors.items())), {"b": 2, "a": 1})
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_byte_is_seen(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path / "one", {"a": torch.arange(9)}, {"b": 1})
    path = tmp_path / "one" / name
    whole = path.read_bytes()
    for position in range(len(whole)):
        broken = bytearray(whole)
        broken[position] ^= random.randrange(1, 256)
        path.write_bytes(broken)
        assert damage(tmp_path / "one") == "its files do not fit its checksums", position
    path.write_bytes(whole)
    assert damage(tmp_path / "one") is None


@pytest.mark.parametrize("name", FILES)
def test_truncated_longer_and_missing_files_are_seen(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path / "one", {"a": torch.arange(9)}, {"b": 1})
    path = tmp_path / "one" / name
    whole = path.read_bytes()
    for broken in (b"", whole[:-1], whole[: len(whole) // 2], whole + b" "):
        path.write_bytes(broken)
        assert damage(tmp_path / "one")
    path.unlink()
    assert damage(tmp_path / "one") == f"{name}: No such file or directory"


@pytest.mark.parametrize("state", [{"a": (1, 2)}, {1: "a"}, {"a": float("nan")}])
def test_a_state_that_json_changes_is_refused(tmp_path: Path, state: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_checkpoint(tmp_path / "one", {}, state)
    assert list(tmp_path.iterdir()) == []


def test_tensors_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    for tensor in (torch.ones(1, dtype=torch.complex64), torch.eye(2).to_sparse()):
        with pytest.raises(ValueError, match="'odd'"):
            write_checkpoint(tmp_path / "one", {"odd": tensor}, {})
    assert list(tmp_path.iterdir()) == []


def test_all_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = []
    sync, rename = os.fsync, Path.rename

    def watched_sync(descriptor: int) -> None:
        happened.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def watched_rename(path: Path, target: Path) -> Path:
        happened.append("rename")
        return rename(path, target)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here to see which file is synced")
    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    write_checkpoint(tmp_path / "one", {"a": torch.ones(1)}, {})
    assert happened == [TENSORS, STATE, CHECKSUMS, "one.part", "rename", tmp_path.name]


def test_a_refused_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path / "one", {"a": torch.ones(1)}, {})
    assert list(tmp_path.iterdir()) == []


def test_checksums_are_plain(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one", {"a": torch.ones(2)}, {"b": 1})
    found = json.loads((tmp_path / "one" / CHECKSUMS).read_text())
    assert {name: entry["bytes"] for name, entry in found.items()} == {
        name: (tmp_path / "one" / name).stat().st_size for name in (STATE, TENSORS)
    }
    assert bytes_of({"a": torch.ones(2), "b": torch.ones(3, dtype=torch.bfloat16)}) == 14


def test_discard(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one", {}, {})
    discard(tmp_path / "one")
    discard(tmp_path / "one")
    assert list(tmp_path.iterdir()) == []
