"""What a trial would silently do without: data changed and not added to DVC, deps that Git ignores."""

import json
import subprocess
from pathlib import Path

from flows.freshness import SETTLED, age, snapshot
from flows.memo import keep, recall
from flows.trials.git import git
from tasks.errors import UserError

MEMO = Path(".dvc/tmp/hone/@sources.json")


def ignored(raw: list[str]) -> tuple[str, ...]:
    """What to ask git for the files under these deps that it ignores."""
    return ("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", *raw)


def refuse_ignored(raw: list[str], sources: list[str], listing: str | None = None) -> None:
    """Refuse files under a dep that Git ignores and DVC does not track or ignore: a worktree would not have them.

    Args:
        raw: deps that no stage makes.
        sources: the ``.dvc`` files; what they track is not in Git and still comes along.
        listing: git's answer to `ignored`, where it has been asked.
    """
    if not raw:
        return
    listed = set((git(*ignored(raw)) if listing is None else listing).split("\0"))
    if listed != {""} and Path(".dvcignore").is_file():
        listed -= set(
            git("ls-files", "--others", "--ignored", "--exclude-from=.dvcignore", "-z", "--", *raw).split("\0")
        )
    tracked = [source.removesuffix(".dvc") for source in sources]
    lost = sorted(
        path for path in listed if path and not any(path == one or path.startswith(f"{one}/") for one in tracked)
    )
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise UserError(
            f"{lost[0]}{more}: a stage reads it and Git ignores it, so a trial would run without; "
            "'dvc add' it, take it out of .gitignore, or name it in .dvcignore if no stage needs it"
        )


def refuse_unadded(sources: list[str]) -> None:
    """Refuse data that differs from its ``.dvc`` file: a worktree would silently get the old data.

    DVC is asked (0.7 s) unless nothing moved since its last answer.
    """
    if not sources or remembered(sources):
        return
    from flows.dvc import DVC

    roots = _roots(sources)
    before = snapshot(roots)
    asked = subprocess.run(
        [*DVC, "--wait-for-lock", "status", "--json", *sources],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    try:
        changed = sorted(json.loads(asked.stdout)) if asked.returncode == 0 else None
    except ValueError:
        changed = None
    if changed is None:
        said = " ".join(asked.stderr.split()) or f"exit code {asked.returncode}"
        raise UserError(f"{', '.join(sources)}: DVC cannot tell whether the data changed ({said}); 'dvc status' looks")
    if changed:
        name = changed[0].removesuffix(".dvc")
        raise UserError(
            f"{name}: differs from {changed[0]}, and a trial would get the data as it was added; "
            f"'dvc add {name}' takes the change, 'dvc checkout {changed[0]}' undoes it"
        )
    if before and age(before) >= SETTLED and snapshot(roots) == before:
        keep(MEMO, {"roots": roots, "files": before})


def _roots(sources: list[str]) -> list[str]:
    return sorted({*sources, *(source.removesuffix(".dvc") for source in sources), ".dvcignore"})


def remembered(sources: list[str]) -> bool:
    """Whether DVC has found this data as it was added, and nothing of it has moved since."""
    try:
        memo = recall(MEMO)
        return bool(memo["roots"] == _roots(sources) and memo["files"] == snapshot(memo["roots"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False
