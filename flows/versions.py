"""Versions of a model as Git tags in the format of DVC's registry (GTO): ``model@v1.2.0``, annotated, with the card."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.dag import PIPELINE
from flows.revisions import file
from flows.trials.git import GitFailed, git
from tasks.errors import UserError
from tasks.yaml_files import read_yaml, read_yaml_text

if TYPE_CHECKING:
    from flows.objects import Objects

NUMBERS = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True, order=True)
class Version:
    """Three numbers; ``str`` gives them as the tag has them."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """``1.2.0`` or ``v1.2.0``. Raises UserError for anything else."""
        match = NUMBERS.fullmatch(text)
        if not match:
            raise UserError(f"{text!r} is no version; write three numbers: 1.2.0")
        return cls(*map(int, match.groups()))


def artifact() -> tuple[str, str]:
    """Name and path of the model that dvc.yaml registers.

    Raises:
        UserError: none or several, or a name that a tag cannot hold.
    """
    blocks = read_yaml(PIPELINE).get("artifacts") or {}
    models = {name: str(block["path"]) for name, block in blocks.items() if (block or {}).get("type") == "model"}
    if len(models) != 1:
        raise UserError(f"{PIPELINE}: artifacts: {len(models)} entries of type model; hone publish needs exactly one")
    return next(iter(models.items()))


def published(name: str) -> list[Version]:
    """Versions of the model, lowest first."""
    tags = git("tag", "--list", f"{name}@v*").splitlines()
    found = (NUMBERS.fullmatch(tag.removeprefix(f"{name}@")) for tag in tags)
    return sorted(Version.parse(match[0]) for match in found if match)


def here(name: str) -> Version | None:
    """The version that is published of HEAD, if one is."""
    tags = git("tag", "--points-at", "HEAD", "--list", f"{name}@v*").splitlines()
    found = [Version.parse(tag.removeprefix(f"{name}@")) for tag in tags if NUMBERS.fullmatch(tag.partition("@")[2])]
    return max(found, default=None)


def changed() -> list[str]:
    """Files that Git would commit or does not know, relative to the project."""
    return [line[3:] for line in git("status", "--porcelain").splitlines()]


def create(name: str, version: Version, message: str) -> str:
    """An annotated tag on HEAD; its name. Raises UserError where Git refuses, as without an author."""
    tag = f"{name}@{version}"
    try:
        git("tag", "--annotate", "--cleanup=verbatim", "--file=-", tag, stdin=message)
    except GitFailed as error:
        raise UserError(f"{tag}: {error}; 'git config user.name' and 'user.email' name the author of a tag") from None
    return tag


def message(tag: str) -> str:
    """What the tag says. Raises UserError where there is no such tag."""
    try:
        return git("for-each-ref", "--format=%(contents)", f"refs/tags/{tag}") or git("log", "-1", "--format=%B", tag)
    except GitFailed:
        name = tag.partition("@")[0]
        known = ", ".join(f"{name}@{version}" for version in published(name)) or "none"
        raise UserError(f"{tag}: no such version here; there are: {known}. 'git fetch --tags' brings others") from None


def content(tag: str) -> tuple[str, str]:
    """Path and md5 (of a folder, it ends in ``.dir``) of the model that a tag means.

    Raises:
        UserError: its commit has no dvc.yaml that registers the name, or no such result.
    """

    def values(path: str) -> dict[str, Any]:
        found = file(tag, path)
        if found is None:
            raise UserError(f"{tag}: its commit has no {path}, so nothing can be loaded of it")
        return read_yaml_text(found.decode("utf-8"), f"{tag}:{path}")

    name = tag.partition("@")[0]
    block = (values("dvc.yaml").get("artifacts") or {}).get(name) or {}
    stages = (values("dvc.lock").get("stages") or {}).values()
    outs = {out["path"]: out.get("md5") for stage in stages for out in stage.get("outs") or []}
    path = str(block.get("path"))
    if not outs.get(path):
        raise UserError(f"{tag}: {path} is not in its dvc.lock; was 'hone run' committed there?")
    return path, str(outs[path])


def copy(md5: str, folder: Path, what: str) -> None:
    """Copy a folder of DVC's cache, or of its remote, to ``folder``, each file checked against its hash.

    Raises:
        UserError: a file that neither has, that is damaged, or whose path leaves the folder.
    """
    import json
    import shutil

    from flows.objects import objects

    with objects() as store:
        for entry in json.loads(_whole(store, md5, f"{what}: its list of files").read_bytes()):
            target = folder / entry["relpath"]
            if not target.resolve().is_relative_to(folder.resolve()):
                raise UserError(f"{what}: {entry['relpath']!r} leaves the model's folder; nothing of it is loaded")
            source = _whole(store, entry["md5"], f"{what}: {entry['relpath']}")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _whole(store: "Objects", md5: str, what: str) -> Path:
    """The file of a hash, whose content has that hash. Raises UserError otherwise."""
    path = store.find(md5)
    if path is None:
        raise UserError(
            f"{what}: neither in DVC's cache nor whole in its remote; 'hone push' where it was made sends it"
        )
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "md5").hexdigest()
    if found != md5.removesuffix(".dir"):
        raise UserError(
            f"{what} is damaged ({path}: md5 {found[:7]}, not {md5[:7]}); remove that file, then 'hone run --pull' or "
            "'hone push' where it is whole brings it"
        )
    return path
