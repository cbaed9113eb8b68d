"""What a change does to metrics and params, as Markdown: `python .github/scripts/comment.py BASE [HEAD]`.

Compares the Git revision HEAD, or the workspace in which the pipeline has just run, with the revision BASE. Runs on any
machine. The first line is a marker by which the comment is found again and updated in place.
"""

import argparse
import subprocess
import sys
from pathlib import Path

MARKER = "<!-- hone -->"
LIMIT = 60_000  # characters; GitHub refuses a comment above 65,536


def body(base: str, head: str | None) -> str:
    """The comment's text for the revision ``head``, or the workspace if it is None, against the revision ``base``."""
    revisions = [commit(base), *([commit(head)] if head else [])]
    parts = [
        MARKER,
        f"### Metrics and params: {commit(head or 'HEAD')[:7]} against {revisions[0][:7]}",
        section("Metrics", "metrics", revisions),
        section("Params", "params", revisions),
        "" if head else note(),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return text if len(text) <= LIMIT else text[:LIMIT] + "\n\n... cut here; the job's summary has all of it\n"


def section(title: str, kind: str, revisions: list[str]) -> str:
    """A heading and the table of ``dvc metrics diff`` or ``dvc params diff``, or a line that nothing changed."""
    table = run(sys.executable, "-m", "dvc", kind, "diff", "--md", *revisions)
    rows = [line for line in table.splitlines() if line.startswith("|")]
    return f"#### {title}\n\n" + ("\n".join(rows) if len(rows) > 2 else f"No {kind} changed.")


def note() -> str:
    """Whether the commit holds the results that this run gave."""
    if not run("git", "ls-files", "dvc.lock"):
        return "The commit holds no `dvc.lock`: run `hone run` and commit what it writes."
    changed = run("git", "diff", "--name-only", "HEAD", "--", "dvc.lock", "data/metrics*.json").splitlines()
    if not changed:
        return "The commit holds these results."
    return (
        f"The commit holds other results than this run gave ({', '.join(f'`{name}`' for name in changed)}): "
        "run `hone run` and commit what it writes. Another processor may change the last digits."
    )


def commit(revision: str) -> str:
    """The full name of a revision's commit."""
    return run("git", "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")


def run(*command: str) -> str:
    """Output of a command; its error ends this one."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout.strip()


def main() -> None:
    """Write the comment to a file or stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", metavar="BASE", help="revision to compare with, e.g. the merge base")
    parser.add_argument("head", metavar="HEAD", nargs="?", help="revision to compare; none means the workspace")
    parser.add_argument("--out", type=Path, help="file to write; none means stdout")
    arguments = parser.parse_args()
    text = body(arguments.base, arguments.head)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
