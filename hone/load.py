"""`hone load NAME@VERSION`: a published model back, with its card, whole and with nothing in it that runs."""

import json
import shutil
from pathlib import Path

import typer

from flows import versions
from hone.provenance import differences
from tasks.errors import UserError
from tasks.models import check_safe, content_hash

PREPARED = Path("data/prepared")


def load(what: str, out: Path | None, force: bool) -> int:
    """Write the version ``what`` (name@version) to ``out`` (none: published/name@version); 0.

    Raises:
        UserError: an unknown version, a folder that is there, files that cannot be had, are damaged or could run code.
    """
    name, _, version = what.partition("@")
    tag = f"{name}@{versions.Version.parse(version)}" if version else _last(name)
    folder = out or Path("published") / tag
    if folder.exists() and not force:
        raise UserError(f"{folder}: is there already; --force replaces it, --out names another")
    if folder.exists() and not (folder / "hone.json").is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: holds no model of hone, so --force does not replace it; --out names another")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        bring(tag, part)
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    typer.echo(f"{tag} is in {folder} (content {content_hash(folder)})")
    card = folder / "hone.json"
    for line in differences(json.loads(card.read_bytes()) if card.is_file() else {}, PREPARED):
        typer.echo(f"note: {line}")
    return 0


def bring(tag: str, folder: Path) -> None:
    """Write a version's files and its card, as README.md, to ``folder``. Raises UserError as `load`."""
    said = versions.message(tag)
    _, md5 = versions.content(tag)
    folder.mkdir(parents=True, exist_ok=True)
    versions.copy(md5, folder, tag)
    check_safe(folder)
    _, start, card = said.partition("\n---\n")
    if start:
        (folder / "README.md").write_text(f"---\n{card}".rstrip("\n") + "\n", encoding="utf-8")


def _last(name: str) -> str:
    known = versions.published(name)
    if not known:
        raise UserError(
            f"{name}: no version is published here; 'hone publish' makes one, 'git fetch --tags' brings some"
        )
    return f"{name}@{known[-1]}"
