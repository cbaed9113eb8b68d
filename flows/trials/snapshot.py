"""The workspace as a Git tree, uncommitted and untracked files too, made without touching anything of the user's."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flows.trials.git import GitFailed, git
from flows.trials.tracked import UNDER_WAY, copied, refuse_large
from tasks.errors import UserError

REFS = "refs/hone/snapshots"


@dataclass(frozen=True)
class Snapshot:
    """The workspace at one moment.

    Attributes:
        root: the project's folder, absolute.
        base: commit of HEAD, the parent of all trials made from this.
        tree: of all files that Git has or would take with ``git add -A``.
        author: name and mail for the commits of trials, Git's own answer.
    """

    root: Path
    base: str
    tree: str
    author: tuple[str, str]


def take() -> Snapshot:
    """Snapshot the current folder. Index, HEAD, stash and files stay as they are.

    Raises:
        UserError: no repository or no commit yet, the project is not at its top, a merge or the like is under way,
            or untracked files are too large.
    """
    root = Path.cwd()
    try:
        answer = git(
            "rev-parse", "--path-format=absolute", "--show-toplevel", "--git-dir", "--git-path", "index", "HEAD"
        )
    except GitFailed as error:
        raise UserError(
            f"trials need a Git repository with one commit at least ({error}); 'git commit' first"
        ) from None
    top, folder, index, base = answer.splitlines()
    if Path(top).resolve() != root.resolve():
        raise UserError(f"{root}: trials need the project at the top of its Git repository, which is {top}")
    for name, what in UNDER_WAY.items():
        if (Path(folder) / name).exists():
            raise UserError(f"{what} is under way here; finish or abort it, trials start from a settled workspace")
    if unmerged := git("ls-files", "--unmerged", "-z"):
        raise UserError(
            f"{unmerged.split(chr(9))[1].split(chr(0))[0]}: not merged; resolve the conflict and 'git add' it"
        )
    refuse_large(git("ls-files", "--others", "--exclude-standard", "-z").split("\0")[:-1])
    with copied(Path(index)) as copy:
        also = {"GIT_INDEX_FILE": str(copy)}
        git("add", "--all", "--", ".", also=also)
        tree = git("write-tree", also=also)
    return Snapshot(root, base, tree, _author())


@contextmanager
def kept(snapshot: Snapshot, name: str) -> Iterator[str]:
    """Keep the snapshot's objects from ``git gc`` inside this block; the name of the ref that does."""
    ref = f"{REFS}/{name}"
    git("update-ref", ref, commit(snapshot))
    try:
        yield ref
    finally:
        with suppress(GitFailed):
            git("update-ref", "-d", ref, cwd=snapshot.root)


def commit(snapshot: Snapshot) -> str:
    """A commit of the snapshot; the same for the same snapshot (its time is that of its base)."""
    time = git("show", "-s", "--format=%ct +0000", snapshot.base, cwd=snapshot.root)
    also = identity(("hone", "hone@localhost")) | {"GIT_AUTHOR_DATE": time, "GIT_COMMITTER_DATE": time}
    return git("commit-tree", snapshot.tree, "-p", snapshot.base, "-m", "snapshot", cwd=snapshot.root, also=also)


def identity(author: tuple[str, str]) -> dict[str, str]:
    """Environment variables that make ``author`` the author and committer."""
    name, mail = author
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }


def _author() -> tuple[str, str]:
    try:
        name, _, rest = git("var", "GIT_AUTHOR_IDENT").partition(" <")
    except GitFailed:  # no identity is configured
        return "hone", "hone@localhost"
    return name, rest.partition(">")[0]
