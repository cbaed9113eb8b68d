"""Which file of the repository imports which: what a code dep is to a stage."""

import ast
import re
from collections import deque
from pathlib import Path


def importers(command: str, adapters: list[str]) -> dict[str, str]:
    """For each file that the stage loads: what it is to the stage.

    Args:
        command: of dvc.yaml; its modules (``-m tasks.finetune``) are the entry points.
        adapters: files that are loaded by name at run time, relative to the current folder.

    Returns:
        By path with ``/``: ``entry point of the stage``, ``imported by <path>`` or ``the active adapter``.
    """
    roles: dict[str, str] = {}
    waiting: deque[Path] = deque()

    def found(path: Path, role: str) -> None:
        if path.as_posix() not in roles:
            roles[path.as_posix()] = role
            waiting.append(path)

    for module in re.findall(r"-m\s+([\w.]+)", command):
        for path in _files(module):
            found(path, "entry point of the stage")
    for name in adapters:
        if Path(name).is_file():
            found(Path(name), "the active adapter")
    while waiting:
        path = waiting.popleft()
        for module in _imports(path):
            for file in _files(module):
                found(file, f"imported by {path.as_posix()}")
    return roles


def _imports(path: Path) -> list[str]:
    """Modules that a file imports, at whatever depth; ``from a import b`` gives both a and a.b."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return []  # the stage itself will say where
    package = ".".join(path.parent.parts)
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _files(module: str) -> list[Path]:
    """The files of a module inside the repository: its packages' __init__ and its own; none for a library."""
    if not module:
        return []
    parts = module.split(".")
    packages = [Path(*parts[:end], "__init__.py") for end in range(1, len(parts) + 1)]
    return [path for path in (*packages, Path(*parts).with_suffix(".py")) if path.is_file()]
