"""`hone import`: a copy of somebody's data in data/raw/NAME, under DVC, and the params that choose it."""

import os
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import typer

from flows.dvc_add import add
from hone.splits import data_files, guess, params_block
from hone.terminal import size
from tasks.errors import UserError

RAW = Path("data/raw")
STAGING = Path(".dvc/tmp/hone/import")  # on the file system of data/raw, unseen by Git
LEFT_OUT = {".git", ".hg", ".svn", ".dvc", "__pycache__", ".DS_Store", "Thumbs.db"}
SHOWN = 20


def import_dataset(source: str, name: str, force: bool) -> int:
    """Copy ``source`` to data/raw/``name``, run ``dvc add`` and print what to paste into params.yaml.

    Args:
        source: a file or folder, or ``hub:ID@REVISION[:CONFIG]``.
        name: of the folder below data/raw.
        force: replace what is there; without it that is refused.

    Raises:
        UserError: a bad name, something there already, an unusable source, no network, or DVC refused.
    """
    target = RAW / name
    _check_name(name)
    _check_target(target, force)
    part = STAGING / f"{name}.{os.getpid()}"
    hints: dict[str, str] = {}
    try:
        part.mkdir(parents=True)
        if source.startswith("hub:"):
            from hone.hub import download

            hints = download(source, part)
            left_out: list[str] = []
        else:
            left_out = copy(Path(source), part)
        marker = _swap_in(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    typer.echo(summary(target, marker, left_out, hints))
    return 0


def copy(source: Path, folder: Path) -> list[str]:
    """Copy a file, or all files below a folder, byte for byte into ``folder``; return what was left out on purpose.

    Raises:
        UserError: nothing there, nothing in it, or a link that leads out of it.
    """
    if not source.exists():
        raise UserError(f"{source}: no such file or folder; check the path")
    root = source.resolve()
    if Path.cwd().is_relative_to(root):
        raise UserError(f"{source}: holds the project itself; name the folder that has only the data")
    if root.is_file():
        files, root, left_out = [PurePosixPath(root.name)], root.parent, list[str]()
    else:
        files, left_out = _files(root)
    if not any((root / file).stat().st_size for file in files):
        raise UserError(f"{source}: holds no data ({len(files)} files, 0 bytes); name a folder or file with data")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(root / file, folder / file)
        except OSError as error:
            raise UserError(f"{root / file}: {error.strerror}; make it readable, or space for it") from None
    return left_out


def summary(target: Path, marker: Path, left_out: list[str], hints: dict[str, str]) -> str:
    """What was imported and what to do next; ``hints`` are values for the block of the task."""
    files = data_files(target)
    sizes = {file: (target / file).stat().st_size for file in files}
    text = [f"imported {len(files)} files, {size(sum(sizes.values()))}, to {target.as_posix()}:"]
    width = max(len(file) for file in files)
    text += [f"  {file:<{width}}  {size(sizes[file]):>9}" for file in files[:SHOWN]]
    text += [f"  and {len(files) - SHOWN} more"] if len(files) > SHOWN else []
    text += [f"left out: {', '.join(left_out)}"] if left_out else []
    splits, unused = guess(files)
    text += ["", "paste into params.yaml (replace the entries of these names):", ""]
    text += params_block(target.name, splits, hints)
    if not splits["train"]:
        text.append("no file looks like data for training: write its name into splits.train")
    text += [f"in no split: {', '.join(unused[:SHOWN])}"] if unused else []
    text += ["", f"then: git add {marker.as_posix()} {(RAW / '.gitignore').as_posix()} params.yaml && hone run"]
    return "\n".join(text)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or name.endswith(".dvc"):
        raise UserError(
            f"--as {name!r}: a dataset is one folder below {RAW}; use letters, digits, '.', '_' and '-' (not '.dvc')"
        )


def _check_target(target: Path, force: bool) -> None:
    if RAW.is_symlink() or target.is_symlink():
        raise UserError(f"{target}: leads out of data/raw through a link; choose another name")
    tracked = subprocess.run(["git", "ls-files", "--", str(target)], capture_output=True, check=False).stdout
    if tracked:
        raise UserError(f"{target}: is in Git, and DVC keeps only what Git does not; choose another name")
    there = target.exists() or target.with_name(target.name + ".dvc").exists()
    if there and not force:
        raise UserError(f"{target}: exists; choose another name, or --force replaces it")


def _files(root: Path) -> tuple[list[PurePosixPath], list[str]]:
    """Files below ``root``, relative and sorted, and the names that were left out."""
    files: list[PurePosixPath] = []
    left_out: list[str] = []
    for folder, folders, names in os.walk(root):
        for name in sorted(LEFT_OUT & {*folders, *names}):
            left_out.append((Path(folder, name)).relative_to(root).as_posix())
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in [*folders, *(name for name in names if name not in LEFT_OUT)]:
            path = Path(folder, name)
            if path.is_symlink():
                _check_link(path, root)
            if name in folders:
                continue
            if not path.is_file():
                raise UserError(f"{path}: is neither a file nor a folder; take it out of {root}")
            files.append(PurePosixPath(path.relative_to(root).as_posix()))
    return sorted(files), sorted(left_out)


def _check_link(path: Path, root: Path) -> None:
    if not path.exists():
        raise UserError(f"{path}: is a link to nothing ({path.readlink()}); remove it or mend it")
    if not path.resolve().is_relative_to(root):
        raise UserError(f"{path}: is a link that leads out of {root} (to {path.resolve()}); put a copy in its place")
    if path.is_dir():
        raise UserError(f"{path}: is a link to a folder; put a copy in its place")


def _swap_in(part: Path, target: Path) -> Path:
    """Put ``part`` where ``target`` is and under DVC; if DVC refuses, what was there comes back."""
    target.parent.mkdir(parents=True, exist_ok=True)
    marker = target.with_name(target.name + ".dvc")
    entry = marker.read_bytes() if marker.exists() else None
    old = part.with_name(part.name + ".old")
    if target.exists():
        target.rename(old)
    try:
        part.rename(target)
        add(target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        if old.exists():
            old.rename(target)
        if entry is not None:
            marker.write_bytes(entry)
        else:
            marker.unlink(missing_ok=True)
        raise
    if old.is_dir():
        shutil.rmtree(old)
    else:
        old.unlink(missing_ok=True)
    return marker
