"""The comment of a pull request as a file.

`.venv/bin/python scripts/ci/comment.py BASE --out comment.md --gate gate.txt`

Compares the workspace, in which the pipeline has just run, with the revision BASE. Runs on any machine. The gate's file
gets one line per failure; an empty one means that it passed.
"""

import argparse
import sys
from pathlib import Path

from hone.pull_request import comment
from tasks.errors import UserError
from tasks.params_file import load


def main() -> None:
    """Write both files; the exit code says nothing of the gate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", metavar="BASE", help="revision to compare with, e.g. the merge base")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--gate", type=Path, required=True, help="text file to write")
    arguments = parser.parse_args()
    try:
        text, failed = comment(arguments.base, load(Path("params.yaml")))
    except UserError as error:
        sys.exit(f"error: {error}")
    arguments.out.write_text(text, encoding="utf-8")
    arguments.gate.write_text("".join(f"{line}\n" for line in failed), encoding="utf-8")


if __name__ == "__main__":
    main()
