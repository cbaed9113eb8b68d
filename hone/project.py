"""Checks of `hone doctor` on the project: Git, DVC, versions, params, code, locks. The current folder is its root."""

import configparser
import fcntl
import json
import platform
import subprocess
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hone.finding import Finding
from tasks.params_file import load

CODE = ("tasks", "flows", "hone")
OLD = 60.0  # seconds after which Git's lock is nobody's


def git() -> Finding:
    """Git answers, this is a repository, and commits have an author."""
    try:
        found = _git("--version").removeprefix("git version ")
    except FileNotFoundError:
        return Finding("fail", "git is not installed", "install git 2.25 or newer")
    if not _git("rev-parse", "--show-toplevel"):
        return Finding("fail", f"{found}; this folder is no repository", "git init && git add . && git commit")
    missing = [key for key in ("user.name", "user.email") if not _git("config", key)]
    if missing:
        return Finding("warn", f"{found}; no {' and '.join(missing)}", f"git config --global {missing[0]} YOURS")
    return Finding("ok", found)


def dvc() -> Finding:
    """DVC is installed and initialised, and imported data has a remote to be shared through."""
    try:
        found = version("dvc")
    except PackageNotFoundError:
        return Finding("fail", "DVC is not installed", "make setup")
    if not Path(".dvc/config").is_file():
        return Finding("fail", f"{found}; not initialised (no .dvc/config)", "dvc init")
    remotes = dvc_remotes()
    if remotes:
        return Finding("ok", f"{found}; remote {', '.join(remotes)}")
    imported = len(list(Path("data/raw").glob("*.dvc")))
    if imported:
        where = f"{found}; no remote, and {imported} imported datasets are on this machine only"
        return Finding("warn", where, "dvc remote add -d NAME URL && dvc push")
    return Finding("ok", f"{found}; no remote, results stay on this machine ('dvc remote add -d NAME URL' shares them)")


def dvc_remotes() -> list[str]:
    """Names of the remotes in the project's two config files."""
    found: dict[str, None] = {}
    for path in (Path(".dvc/config"), Path(".dvc/config.local")):
        for section in _config(path).sections():
            if section.strip("'\"").startswith("remote "):
                found[section.strip("'\"").removeprefix("remote ").strip('"')] = None
    return list(found)


def cache_folder() -> Path:
    """DVC's cache: cache.dir of the config (relative to it), or .dvc/cache."""
    for path in (Path(".dvc/config.local"), Path(".dvc/config")):
        folder = _config(path).get("cache", "dir", fallback=None)
        if folder:
            return (path.parent / folder).resolve()
    return Path(".dvc/cache")


def versions() -> Finding:
    """Python is the one that pyproject.toml asks for, and what is installed is what a lock file says."""
    if platform.python_version_tuple()[:2] != ("3", "11"):
        return Finding("fail", f"Python {platform.python_version()}, hone needs 3.11", "make setup PYTHON=python3.11")
    locks = sorted(Path().glob("requirements*.lock"))
    if not locks:
        return Finding("fail", "no requirements.lock", "git checkout -- requirements.lock")
    lock, wrong = min(((path, differing(path)) for path in locks), key=lambda pair: len(pair[1]))
    about = f"Python {platform.python_version()}, {lock}"
    if wrong:
        shown = ", ".join(wrong[:4]) + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else "")
        device = " DEVICE=cuda" if "cuda" in lock.name else ""
        return Finding("warn", f"{about}: {shown}", f"rm -f .venv/ready-* && make setup{device}")
    return Finding("ok", about)


def differing(lock: Path) -> list[str]:
    """Packages that are missing or in another version than a lock file names, as ``name wanted, has found``."""
    from packaging.requirements import InvalidRequirement, Requirement

    wrong = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        try:
            wanted = Requirement(line.split("#")[0].strip())
        except InvalidRequirement:
            continue  # an option, a comment or nothing
        if wanted.marker and not wanted.marker.evaluate():
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name}{wanted.specifier} is {found}")
    return wrong


def params() -> Finding:
    """params.yaml is complete and the raw files it names are there."""
    values = load(Path("params.yaml"))
    folder = Path("data/raw", values.dataset)
    files = [*values.splits.train, *values.splits.validation, *values.splits.test]
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        remedy = (
            f"dvc pull {folder}" if folder.with_name(folder.name + ".dvc").exists() else "hone import, or mend splits"
        )
        return Finding("fail", f"params.yaml: {folder / missing[0]} is missing", remedy)
    return Finding("ok", f"task {values.task}, dataset {values.dataset}, {len(files)} files")


def code() -> Finding:
    """Git knows every file of code: neither a clone nor a trial in a worktree gets the others."""
    untracked = _git("ls-files", "--others", "--exclude-standard", "--", *CODE).splitlines()
    ignored = _git("ls-files", "--others", "--ignored", "--exclude-standard", "--", *(f"{at}/*.py" for at in CODE))
    files = sorted({*untracked, *ignored.splitlines()})
    if files:
        shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        return Finding("warn", f"not in Git: {shown}", f"git add {' '.join(files[:3])}")
    return Finding("ok", "all code is in Git")


def locks() -> Finding:
    """No lock is left behind by a process that is gone; who works here now."""
    index = _git("rev-parse", "--git-path", "index.lock")
    with suppress(FileNotFoundError):
        if index and time.time() - Path(index).stat().st_mtime > OLD:
            return Finding(
                "warn", f"{index} is older than a minute: Git refuses to commit", f"if no git runs: rm {index}"
            )
    dead = [pid for pid in _dvc_holders(Path(".dvc/tmp/rwlock")) if not _alive(pid)]
    if dead:
        gone = ", ".join(map(str, dead))
        return Finding("warn", f".dvc/tmp/rwlock names processes that are gone ({gone})", "hone run clears it")
    working = [path.stem for path in sorted(Path(".dvc/tmp/hone").glob("[!@]*.lock")) if _held(path)]
    return Finding("ok", f"at work now: {', '.join(working)}" if working else "none left behind")


def _dvc_holders(path: Path) -> list[int]:
    """Process ids in DVC's list of readers and writers."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    holders = [*entries.get("write", {}).values(), *(one for all_ in entries.get("read", {}).values() for one in all_)]
    return sorted({int(holder["pid"]) for holder in holders})


def _alive(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _held(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _config(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(configparser.Error):
        parser.read(path, encoding="utf-8")
    return parser


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, errors="replace").stdout.strip()
