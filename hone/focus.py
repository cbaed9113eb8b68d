"""`hone focus`: what to work on next, the mistakes of one kind or type, and gold that may be wrong."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from flows.dag import stages
from flows.results import out_file
from hone.terminal import paint
from tasks.errors import UserError
from tasks.records import read_examples, read_json, read_lines


def focus(kind: str | None, type_: str | None, suspects: bool, most: int, as_json: bool) -> int:
    """Print the table, or the mistakes (or suspects) that fit ``kind`` and ``type_``; 0 when done.

    Args:
        kind: of the mistakes; None for all.
        type_: gold or predicted type; None for all.
        suspects: list gold that may be wrong.
        most: mistakes or suspects that are listed; JSON has all.
        as_json: one JSON document of what would be shown.

    Raises:
        UserError: evaluate has not run, or a kind or type that validation does not have.
    """
    found = read_json(_file("focus.json"))
    if kind is None and type_ is None and not suspects:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True) if as_json else _table(found))
        return 0
    if kind is not None and suspects:
        raise UserError("--kind goes with mistakes and not with --suspects; leave one of them out")
    _known("--kind", kind, found["errors"])
    _known("--type", type_, [one["name"] for one in found["entries"] if one["dimension"] == "type"])
    lines = list(read_lines(_file("suspects.jsonl" if suspects else "mistakes.validation.jsonl")))
    sides = ("gold", "predicted") if suspects else ("type", "predicted_type")
    chosen = [
        line
        for line in lines
        if (kind is None or line["kind"] == kind) and (type_ is None or type_ in [line[side] for side in sides])
    ]
    chosen.sort(key=lambda line: -line["confidence"])
    if as_json:
        typer.echo(json.dumps(chosen, ensure_ascii=False, indent=2))
        return 0
    sentences = _sentences(chosen[:most])
    for line in chosen[:most]:
        typer.echo("\n".join(_suspect(line, sentences) if suspects else _mistake(line, sentences)))
    noun = "suspects" if suspects else "mistakes"
    shown = min(most, len(chosen))
    typer.echo(
        f"{shown} of {len(chosen)} {noun}, the surest first" + (" (--json has all)" if shown < len(chosen) else "")
    )
    return 0


def _table(found: Mapping[str, Any]) -> str:
    """Every entry: kinds, types, then the other dimensions by what they cost at most."""
    headline, errors = found["headline"], found["headline"]["errors"]
    counted = f"{errors} errors among {headline['gold']} gold and {headline['predicted']} predicted items"
    lines = [f"{headline['name']} {headline['value']:.4f} on {headline['split']}: {counted}"]
    width = max((len(entry["name"]) for entry in found["entries"]), default=0)
    for dimension in dict.fromkeys(["kind", "type", *(entry["dimension"] for entry in found["entries"])]):
        entries = [entry for entry in found["entries"] if entry["dimension"] == dimension]
        if not entries:
            continue
        lines += ["", f"{_bold(f'{dimension:<{width}}')}  errors    gold  figure  if these were right"]
        for entry in entries:
            own = "" if entry["figure"] is None else f"{entry['figure']:.4f}"
            lines.append(
                f"{entry['name']:<{width}}  {entry['errors']:>6}  {entry['gold']:>6}  {own:>6}  "
                f"{entry['figure_if_right']:.4f}  +{entry['gain']:.4f}"
            )
        if dimension in found["left_out"]:
            lines.append(_dim(f"and {found['left_out'][dimension]} that cost less"))
    varied = found["invariance"]
    if varied and varied["swapped"]:
        lines += [
            "",
            f"names swapped for others of their type: {varied['changed']} of {varied['swapped']} answers change "
            f"({varied['share']:.0%}; {varied['lost']} right ones are lost, {varied['gained']} gained)",
        ]
    return "\n".join(lines)


def _mistake(line: Mapping[str, Any], sentences: Mapping[str, list[str]]) -> list[str]:
    labels = f"gold {line['type'] or 'nothing'}, predicted {line['predicted_type'] or 'nothing'}"
    second = f", runner-up {line['runner_up']} {line['runner_up_confidence']:.2f}" if line["runner_up"] else ""
    return [
        f"{_bold(line['kind'])}  {labels}  {_dim(line['id'])}",
        f"  {_marked(line, sentences)}",
        f"  sure {line['confidence']:.2f}{second}",
        *(f"  train: {twin['type']}  {twin['text']}  {_dim(twin['id'])}" for twin in line["train"]),
    ]


def _suspect(line: Mapping[str, Any], sentences: Mapping[str, list[str]]) -> list[str]:
    train = ", ".join(f"{label} {count}" for label, count in line["train"].items())
    return [
        f"{_bold('suspect')}  gold {line['gold']}, predicted {line['predicted']} ({line['confidence']:.2f}), "
        f"in train {train}  {_dim(line['id'])}",
        f"  {_marked(line, sentences)}",
    ]


def _marked(line: Mapping[str, Any], sentences: Mapping[str, list[str]]) -> str:
    words = sentences[line["id"]]
    start, end = line["start"], line["end"]
    return " ".join([*words[:start], f"[{' '.join(words[start:end])}]", *words[end:]])


def _sentences(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The words of the sentences that ``lines`` are of."""
    wanted = {line["id"] for line in lines}
    examples = read_examples(_file("prepared") / "validation.jsonl")
    return {example.id: example.inputs["words"] for example in examples if example.id in wanted}


def _known(option: str, value: str | None, names: Iterable[str]) -> None:
    if value is not None and value not in set(names):
        raise UserError(f"{option} {value}: validation has: {', '.join(sorted(names)) or 'none'}")


def _file(name: str) -> Path:
    found = out_file(stages(), name)
    if found is None:
        raise UserError(f"{name} is not there; 'hone run' or 'dvc repro evaluate' makes it")
    return found


def _bold(text: str) -> str:
    return paint(text, "bold", sys.stdout)


def _dim(text: str) -> str:
    return paint(text, "dim", sys.stdout)
