#!/bin/sh
# Compare the workspace, in which the pipeline has run, with the point where HEAD left the revision $1: comment.md,
# gate.txt (one line per failure) and plots/ in the folder $2. BIN: folder of the virtual environment's programs.
set -eu
bin=${BIN:-.venv/bin} out=$2
base=$(git merge-base "$1" HEAD)
mkdir -p "$out"
"$bin/python" "$(dirname "$0")/comment.py" "$base" --out "$out/comment.md" --gate "$out/gate.txt"
"$bin/dvc" plots diff "$base" --out "$out/plots" || echo "no plots: the comment and the report have the figures"
