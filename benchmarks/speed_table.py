"""From the measurements of benchmarks/speed.py to verdicts and Markdown."""

import json
from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.opponents import OPPONENTS, Opponent
from benchmarks.roof import roof_seconds

SLOWER = 0.15  # an opponent that lacks more of its reference figure voids the run
ROOF_FLOOR, ROOF_AIM = 0.60, 0.75


def void_reason(opponent: Opponent, speed: float, *, comparable: bool) -> str | None:
    """Why a measurement says nothing: the opponent lacked the machine. None where it had it, or nothing is known.

    Args:
        speed: sentences per second of the opponent.
        comparable: whether its reference figure holds on this machine and corpus.
    """
    if comparable and speed < (1 - SLOWER) * opponent.reference:
        return (
            f"{speed:.1f} sentences/s is more than {100 * SLOWER:.0f} % below {opponent.reference:g}; was it not idle?"
        )
    return None


def compare(rounds: Sequence[dict[str, dict[str, Any]]], *, comparable: bool) -> dict[str, dict[str, Any]]:
    """Medians and ratios of each opponent that was measured.

    Args:
        rounds: per round the sides by name: opponents, and ``hone-<batch>``.
    """
    found = {}
    for name, opponent in OPPONENTS.items():
        if name not in rounds[0]:
            continue
        theirs = [one[name]["sentences_per_second"] for one in rounds]
        ours = [one[f"hone-{opponent.batch}"]["sentences_per_second"] for one in rounds]
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        found[name] = {
            "aim": opponent.aim,
            "arguments": rounds[0][name]["arguments"],
            "batch": opponent.batch,
            "floor": opponent.floor,
            "hone": median(ours),
            "opponent": median(theirs),
            "passed": median(ratios) >= opponent.floor,
            "ratio": median(ratios),
            "ratios": ratios,
            "void": void_reason(opponent, median(theirs), comparable=comparable),
            **{key: rounds[0][name][key] for key in ("attention", "attention_dropout", "dropout")},
        }
    return found


def under_roof(rounds: Sequence[dict[str, dict[str, Any]]]) -> dict[str, Any] | None:
    """How much of the roof hone reaches at batch 16, by the rates of the same round; None where it was not measured."""
    if "hone-16" not in rounds[0]:
        return None
    shares, roofs, steps = [], [], []
    for one in rounds:
        hone, rates = one["hone-16"], one["roof"]
        least = roof_seconds(
            hone["flops_per_step"], hone["updated_parameters"], rates["product_rate"], rates["memory_rate"]
        )
        step = 16 / hone["sentences_per_second"]
        shares.append(least / step)
        roofs.append(least)
        steps.append(step)
    last = rounds[-1]["hone-16"]
    return {
        "embedding_rows_used": last["embedding_rows_used"],
        "flops_per_step": last["flops_per_step"],
        "memory_rate": median(one["roof"]["memory_rate"] for one in rounds),
        "passed": median(shares) >= ROOF_FLOOR,
        "product_rate": median(one["roof"]["product_rate"] for one in rounds),
        "roof_seconds": median(roofs),
        "share": median(shares),
        "shares": shares,
        "step_seconds": median(steps),
        "sub_words_per_sentence": last["sub_words_per_sentence"],
        "updated_parameters": last["updated_parameters"],
    }


def memory(rounds: Sequence[dict[str, dict[str, Any]]]) -> dict[str, Any] | None:
    """Peak memory of hone and of the strong opponent, both at batch 16; None where one was not measured."""
    if "hone-16" not in rounds[0] or "strong" not in rounds[0]:
        return None
    figures: dict[str, Any] = {}
    for kind in ("peak_memory_mb", "peak_device_memory_mb"):
        if kind in rounds[0]["strong"]:
            figures[kind] = {side: max(one[side][kind] for one in rounds) for side in ("hone-16", "strong")}
    return figures | {"passed": all(pair["hone-16"] <= pair["strong"] for pair in figures.values())}


def failures(report: dict[str, Any]) -> list[str]:
    """Every floor that was missed, in words."""
    missed = []
    for corpus, found in report["corpora"].items():
        missed += [f"{corpus}: {name}" for name, one in found["opponents"].items() if not one["passed"]]
        missed += [f"{corpus}: {name}" for name in ("roof", "memory") if found[name] and not found[name]["passed"]]
    return missed


def voids(report: dict[str, Any]) -> list[str]:
    """Every reason why the run says nothing."""
    return [
        f"{corpus}, {name}: {one['void']}"
        for corpus, found in report["corpora"].items()
        for name, one in found["opponents"].items()
        if one["void"]
    ]


def verdict(figure: float, floor: float, aim: float, void: str | None = None) -> str:
    """Pass or fail, and whether the aim is reached too."""
    if void:
        return "void"
    if figure < floor:
        return "**fail**"
    return "pass, aim reached" if figure >= aim else "pass"


def render(report: dict[str, Any]) -> str:
    """The whole report as Markdown."""
    rounds = ", ".join(f"{name} {found['rounds']}" for name, found in report["corpora"].items())
    lines = [
        "# Training speed",
        "",
        f"{report['machine_line']}.",
        f"Paired runs, A B A B; rounds: {rounds}; medians.",
        "",
        "| corpus | opponent | its sentences/s | hone, same batch | batch | ratio | floor | aim | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for corpus, found in report["corpora"].items():
        for name, one in found["opponents"].items():
            judged = verdict(one["ratio"], one["floor"], one["aim"], one["void"])
            lines.append(
                f"| {corpus} | {name}: {OPPONENTS[name].what} | {one['opponent']:.1f} | {one['hone']:.1f} | "
                f"{one['batch']} | {one['ratio']:.2f}x | {one['floor']:g}x | {one['aim']:g}x | {judged} |"
            )
    lines += _roof_lines(report) + _memory_lines(report) + _argument_lines(report)
    lines += ["", f"Settings of hone: `{json.dumps(report['settings'])}`"]
    if not report["references_hold"]:
        lines += ["", "The opponents' reference figures are of two Zen 4 cores, so none could be voided here."]
    lines += [f"\n**Void**: {reason}" for reason in voids(report)]
    lines += [f"\n**Floor missed**: {miss}" for miss in failures(report)]
    return "\n".join(lines) + "\n"


def _roof_lines(report: dict[str, Any]) -> list[str]:
    lines = [
        "",
        "| corpus, batch 16 | step, ms | roof, ms | share | floor | aim | | products, GFLOP/s | memory, GB/s | "
        "GFLOP a step | million parameters |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for corpus, found in report["corpora"].items():
        if roof := found["roof"]:
            lines.append(
                f"| {corpus} | {1e3 * roof['step_seconds']:.1f} | {1e3 * roof['roof_seconds']:.1f} | "
                f"{100 * roof['share']:.0f} % | {100 * ROOF_FLOOR:.0f} % | {100 * ROOF_AIM:.0f} % | "
                f"{verdict(roof['share'], ROOF_FLOOR, ROOF_AIM)} | {roof['product_rate'] / 1e9:.0f} | "
                f"{roof['memory_rate'] / 1e9:.1f} | {roof['flops_per_step'] / 1e9:.1f} | "
                f"{roof['updated_parameters'] / 1e6:.2f} |"
            )
    return lines if len(lines) > 3 else []


def _memory_lines(report: dict[str, Any]) -> list[str]:
    names = {"peak_memory_mb": "process", "peak_device_memory_mb": "device"}
    lines = ["", "| corpus, batch 16 | peak memory of | hone, MB | strong, MB | |", "|---|---|---|---|---|"]
    for corpus, found in report["corpora"].items():
        for kind, name in names.items():
            if found["memory"] and (pair := found["memory"].get(kind)):
                judged = "pass" if pair["hone-16"] <= pair["strong"] else "**fail**"
                lines.append(f"| {corpus} | {name} | {pair['hone-16']} | {pair['strong']} | {judged} |")
    return lines if len(lines) > 3 else []


def _argument_lines(report: dict[str, Any]) -> list[str]:
    """The TrainingArguments, the same for every corpus."""
    found = next(iter(report["corpora"].values()))["opponents"]
    lines = [""]
    for name, one in found.items():
        given = ", ".join(f"{key}={value!r}" for key, value in one["arguments"].items())
        lines.append(
            f"- {name}: `TrainingArguments({given})`; {one['attention']} attention, dropout {one['dropout']:g}, "
            f"of attention {one['attention_dropout']:g}"
        )
    return lines
