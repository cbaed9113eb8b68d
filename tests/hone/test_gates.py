from dataclasses import replace

import pytest

from hone.gates import failures
from tasks.params import Gate
from tasks.scoring.paired import Comparison
from tasks.verdict import Judgement

ONE = Comparison(0.5, 0.45, -0.08, -0.02, 0.001, 0.02, 50, 100, (1, 1), "worse")
JUDGEMENT = Judgement("entity_f1", "documents", "sentences", ONE, {"PER": ONE}, {}, {"casing: lower case": ONE})
OPEN = Gate(minimum=0.0, no_loss=False, types={}, slices={})


@pytest.mark.parametrize(
    ("gate", "failed"),
    [
        (OPEN, []),
        (OPEN.model_copy(update={"minimum": 0.45}), []),
        (OPEN.model_copy(update={"minimum": 0.46}), ["gate.minimum: entity_f1 0.4500 is below 0.46"]),
        (OPEN.model_copy(update={"no_loss": True}), ["gate.no_loss: entity_f1 is worse, -0.0500 (p 0.0010)"]),
        (OPEN.model_copy(update={"types": {"PER": 0.45}}), []),
        (OPEN.model_copy(update={"types": {"PER": 0.5}}), ["gate.types.PER: 0.4500 is below 0.5"]),
        (OPEN.model_copy(update={"types": {"PRE": 0.1}}), ["gate.types.PRE: test has no such thing; there are: PER"]),
        (
            OPEN.model_copy(update={"slices": {"casing: lower case": 0.5}}),
            ["gate.slices.casing: lower case: 0.4500 is below 0.5"],
        ),
    ],
)
def test_each_gate(gate: Gate, failed: list[str]) -> None:
    assert failures(JUDGEMENT, gate) == failed


def test_a_loss_without_significance_passes() -> None:
    unsure = replace(JUDGEMENT, headline=replace(ONE, verdict="too few data"))
    assert failures(unsure, OPEN.model_copy(update={"no_loss": True})) == []
