"""`hone try`, `repeat`, `adopt` and `gc` from end to end on the toy pipeline."""

import json
import sys
from pathlib import Path
from typing import Any


def test_repeat_and_gc_end_to_end(project: Any) -> None:
    body = (
        "from hone.repeat import repeat; import sys; sys.exit(repeat({}, {{}}, 'entity_f1', 'local', None, None, {}))"
    )
    said = json.loads(project.call(sys.executable, "-c", body.format(2, True)))
    assert said["seeds"] == [1, 2] and said["best"]["seed"] == 2
    more = project.call(sys.executable, "-c", body.format(3, False))
    assert "repeat-seed-1  known  validation 0.5100" in more and "repeat-seed-3  ran" in more
    assert "entity_f1 over the seeds 1, 2, 3" in more
    assert len(project.notes("start", "train")) == 2  # that of seed 1 is in the run-cache already
    body = "from hone.gc import gc; gc({}, 'entity_f1', {})"
    planned = json.loads(project.call(sys.executable, "-c", body.format(True, True)))
    assert planned["kept"] == ["repeat-seed-3", "repeat-seed-2"] and planned["bytes"] == 0  # a branch needs seed 1


TRY = """
from flows.trials import Trial
from hone.checked_params import CheckedParams
from hone.try_ import slug, test
params = CheckedParams("token_classification", "entity_f1", relevant=0.02, resamples=2000)
overrides = {{"train.rate": {rate}}}
test(Trial(slug(overrides), overrides, "try", "try", "faster is better", 0.05), params, "local", None, None)
"""


def test_try_says_whether_it_held_and_adopt_takes_over(project: Any) -> None:
    said = project.call(sys.executable, "-c", TRY.format(rate=0.6))
    assert "entity_f1   validation 0.5100 -> 0.6100\nverdict     better: +10.00 points (+6." in said
    assert "expected    +5.00 points or more: held\n" in said and "hone adopt rate-0.6" in said
    assert ".dvc/tmp/hone/logs/try/rate-0.6.log" in said
    said = project.call(sys.executable, "-c", TRY.format(rate=0.52))
    assert "no evidence of a difference: +2.00 points (+0." in said or "too few data to tell: +2.00 points" in said
    assert "+5.00 points or more: did not hold\n" in said
    said = project.call(sys.executable, "-c", TRY.format(rate=0.55))
    assert "better: +5.00 points" in said and "+5.00 points or more: held" in said
    said = project.call(sys.executable, "-c", "from hone.adopt import adopt; adopt('rate-0.6')")
    assert said.startswith("train.rate  0.5 -> 0.6\nouts are back from the cache; nothing to run\n")
    assert "git add params.yaml dvc.lock data/metrics.validation.json data/metrics.test.json" in said


def test_try_compares_with_the_params_here_as_they_are_now(project: Any) -> None:
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("epochs: 2", "epochs: 3"))  # never ran
    said = project.call(sys.executable, "-c", TRY.format(rate=0.6))
    assert "validation 0.6100; 'hone run' gives the figure of params.yaml" in said and "expected" not in said
    params.write_text(params.read_text().replace("rate: 0.5 ", "rate: 0.6 "))  # ran as that trial
    said = project.call(sys.executable, "-c", TRY.format(rate=0.7))
    assert "validation 0.6100 -> 0.7100" in said and "better: +10.00 points" in said
