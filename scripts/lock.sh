#!/bin/sh
# Exact versions from pyproject.toml: requirements-cuda.lock as published, requirements.lock without what only the
# CUDA build of PyTorch needs, numerics.lock with the versions that decide numbers.
set -eu
uv=$1
compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --group dev \
        --upgrade pyproject.toml --output-file "$@"
}
compile requirements-cuda.lock
only_cuda=$(grep -oE '^(nvidia|cuda|triton)[a-z0-9-]*' requirements-cuda.lock | sed 's/^/--no-emit-package /')
# shellcheck disable=SC2086
compile requirements.lock $only_cuda
{
    echo "# Versions that decide numbers: a change reruns finetune and evaluate. Made by \`make lock\`."
    grep -E '^(torch|transformers|tokenizers|numpy|numba|llvmlite|accelerate|peft|rouge-score|sacrebleu)==' requirements.lock | grep -v "python_full_version >=" | sed 's/ *;.*//'
} > numerics.lock
if grep -qE 'file:|\+cpu' requirements.lock requirements-cuda.lock; then
    echo "error: a lock names a local file or build, which installs nowhere else" >&2
    exit 1
fi
