#!/bin/sh
# Bring what DVC's remote has of data, results and run-cache. No remote, or one that lacks some: the run makes it again.
# BIN: folder of the virtual environment's programs.
set -u
dvc=${BIN:-.venv/bin}/dvc
if [ -z "$("$dvc" remote list)" ]; then
    echo "no DVC remote is configured: everything is run here"
    exit 0
fi
"$dvc" pull --run-cache --allow-missing || echo "the remote did not give everything: what is missing is run here"
