"""`hone export`: the pipeline up to evaluate, then the model for onnxruntime."""

import sys
from pathlib import Path

from flows.alone import alone
from flows.dag import Stage
from flows.dvc import Verdict, reproduce
from hone.run import run, signals
from tasks.records import read_json

STAGE = Stage(
    name="export/dvc.yaml:export", desc="", deps=(), outs=("data/export",), uncached=(), metrics=(), sources=()
)
CARD = Path("data/export/export.json")


def export(*, force: bool) -> int:
    """Run what the export reads from, then the stage of export/dvc.yaml; 0 when done.

    Raises:
        UserError: a stage failed; its last results are back.
    """
    run("local", ["evaluate"], False)
    with signals(), alone(_say):
        verdict = reproduce(STAGE, lambda text, progress: None if progress else _say(f"  {text}"), force=force)
    _say(f"export  {verdict}")
    card = read_json(CARD)
    if verdict is not Verdict.RAN:
        for precision, found in card.get("quality", {}).items():
            _say(f"  {precision}: {found['words']}" if isinstance(found, dict) else f"  {precision}: {found:g}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
