"""Three changes and what `hone diff` says of each: `python -m benchmarks.verdict_story --write docs/verdict.md`.

Works in a clone of this repository in a temporary folder, so that nothing here changes. There it makes a branch that
trains too little, and from it three others that change one param each, runs them (a training each, three to six
minutes in all on two cores), and puts the real output between the marks of the page.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.marked import put

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = 2  # fixed, and broken, that the page shows


@dataclass(frozen=True)
class Change:
    """One param of params.yaml with another value, on a branch ``name``."""

    name: str
    key: str
    value: str


START = Change("start", "finetune.epochs", "3")
CHANGES = (
    Change("longer", "finetune.epochs", "10"),
    Change("frozen", "finetune.features", "frozen"),
    Change("warm-up", "finetune.warmup_ratio", "0.06"),
)


@dataclass(frozen=True)
class Chapter:
    """What `hone diff` said of a change."""

    change: Change
    verdict: str
    output: str


def tell(project: Path, start: Change, changes: tuple[Change, ...]) -> list[Chapter]:
    """Make the branches in ``project``, which is changed by that, run them and compare each with ``start``."""
    _branch(project, start, "HEAD")
    chapters = []
    for change in changes:
        _branch(project, change, start.name)
        arguments = ("-m", "hone", "diff", start.name, change.name)
        verdict = json.loads(_call(project, sys.executable, *arguments, "--json"))["headline"]["verdict"]
        output = shortened(_call(project, sys.executable, *arguments))
        chapters.append(Chapter(change, verdict, output))
    return chapters


def shortened(output: str) -> str:
    """The output with SENTENCES of each list of sentences, and a line that says so."""
    blocks = []
    for block in output.strip().split("\n\n"):
        lines = block.splitlines()
        starts = [number for number, line in enumerate(lines) if re.match(r"  \S+:\d+$", line)]
        if block.startswith("Sentences ") and len(starts) > SENTENCES:
            lines = [*lines[: starts[SENTENCES]], "  ..."]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def fill(page: str, chapters: list[Chapter]) -> str:
    """The page with each output between ``<!-- NAME -->`` and ``<!-- end -->``."""
    for chapter in chapters:
        name = chapter.change.name
        page = put(page, name, f"$ hone diff {START.name} {name}\n{chapter.output}")
    return page


def _branch(project: Path, change: Change, base: str) -> None:
    _call(project, "git", "checkout", "-q", "-b", change.name, base)
    params = project / "params.yaml"
    name = change.key.split(".")[-1]
    text, count = re.subn(rf"(?m)^(  {name}: +)\S+", rf"\g<1>{change.value}", params.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"params.yaml: {change.key} stands there {count} times")
    params.write_text(text, encoding="utf-8")
    _call(project, sys.executable, "-P", "-m", "dvc", "repro", "evaluate")
    _call(project, "git", "add", "-A")
    _call(project, "git", "commit", "-qm", f"{change.key}: {change.value}")


def _call(project: Path, *command: str) -> str:
    identity = {
        f"GIT_{who}_{what}": "story@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **identity, "HONE_PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="page whose marks get the output; none means stdout")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "hone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(project)], check=True)
        chapters = tell(project, START, CHANGES)
    for chapter in chapters:
        print(f"{chapter.change.key}: {chapter.change.value}: {chapter.verdict}")
    if arguments.write:
        page = arguments.write.read_text(encoding="utf-8")
        arguments.write.write_text(fill(page, chapters), encoding="utf-8")
    else:
        print("\n\n".join(chapter.output for chapter in chapters))


if __name__ == "__main__":
    main()
