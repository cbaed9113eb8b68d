"""`hone focus`: what to work on next, the mistakes of one kind or type, and gold that may be wrong."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from flows.dag import stages
from flows.results import out_file
from hone.settings import PARAMS, wording
from hone.terminal import paint
from tasks import adapters
from tasks.errors import UserError
from tasks.records import Example, read_examples, read_json, read_lines, read_predictions
from tasks.yaml_files import read_yaml

Run = tuple[str, str | None]  # text and label


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
    texts, words = _texts(chosen[:most]), wording()
    for line in chosen[:most]:
        typer.echo("\n".join(_suspect(line, texts) if suspects else _mistake(line, texts, words)))
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


def _mistake(line: Mapping[str, Any], texts: Mapping[str, list[str]], words: adapters.Wording | None) -> list[str]:
    written = words is not None and words.written  # then all are of one type, which says nothing
    labels = f"gold {line['type'] or 'nothing'}, predicted {line['predicted_type'] or 'nothing'}"
    second = f", runner-up {line['runner_up']} {line['runner_up_confidence']:.2f}" if line.get("runner_up") else ""
    rank = f", the gold {words.item} at place {line['rank']}" if words and "rank" in line else ""
    near = f", {words.headline} {line['nearness']:.2f}" if words and "nearness" in line else ""
    return [
        "  ".join([_bold(line["kind"]), *([] if written else [labels]), _dim(line["id"])]),
        *(f"  {text}" for text in texts[_key(line)]),
        f"  sure {line['confidence']:.2f}{second}{rank}{near}",
        *(f"  train: {twin['type']}  {twin['text']}  {_dim(twin['id'])}" for twin in line.get("train", ())),
    ]


def _suspect(line: Mapping[str, Any], texts: Mapping[str, list[str]]) -> list[str]:
    train = ", ".join(f"{label} {count}" for label, count in line["train"].items())
    return [
        f"{_bold('suspect')}  gold {line['gold']}, predicted {line['predicted']} ({line['confidence']:.2f}), "
        f"in train {train}  {_dim(line['id'])}",
        *(f"  {text}" for text in texts[_key(line)]),
    ]


def _texts(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What each of ``lines`` is about, as lines of text by `_key`, with the place in question in brackets."""
    wanted: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        wanted.setdefault(line["id"], []).append(line)
    found = {}
    examples = read_examples(_file("prepared") / "validation.jsonl")
    if all("start" in own for line in wanted.values() for own in line):  # a place of words
        for example in examples:
            for own in wanted.get(example.id, ()):
                words, start, end = example.inputs["words"], own["start"], own["end"]
                marked = [*words[:start], f"[{' '.join(words[start:end])}]", *words[end:]]
                found[_key(own)] = [" ".join(marked)]
        return found
    adapter = adapters.find(read_yaml(PARAMS)["task"])

    def shown(example: Example, target: Any) -> list[Run]:
        runs = adapter.show(example.inputs, target)
        return [(text, None) for text, _ in runs] if adapter.wording.written else runs

    for example, one in zip(examples, read_predictions(_file("predictions.validation.jsonl")), strict=True):
        for own in wanted.get(example.id, ()):
            found[_key(own)] = _answers(shown(example, one.gold), shown(example, one.predicted))
    return found


def _answers(gold: list[Run], predicted: list[Run]) -> list[str]:
    """Both answers; what they have in common before, such as a history, and texts that differ by label alone, once."""
    if [text for text, _ in gold] == [text for text, _ in predicted]:
        return [_marked(gold)]
    same = next((at for at, pair in enumerate(zip(gold, predicted, strict=False)) if pair[0] != pair[1]), len(gold))
    head = [_marked([run]) for run in gold[:same]]
    return [*head, f"gold       {_marked(gold[same:])}", f"predicted  {_marked(predicted[same:])}"]


def _marked(runs: list[Run]) -> str:
    return " ".join(f"[{text} {label}]" if label else text for text, label in runs if text or label)


def _key(line: Mapping[str, Any]) -> str:
    return f"{line['id']} {line.get('start', 0)} {line.get('end', 0)}"


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
