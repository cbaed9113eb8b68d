"""A search on a local Ray of which a worker is killed: it ends complete, and with the same figures."""

import json
import subprocess
import sys
from typing import Any

import pytest

SEARCH = """
import json
from flows.search import search
from tasks.params import Range, Sweep
from tasks.scoring.goal import Figure
from tasks.yaml_files import read_yaml
from pathlib import Path

def judge(outcome):
    metrics = outcome.metrics.get("validation")
    return Figure("entity_f1", metrics["entity_f1"], None, None) if metrics else None

if __name__ == "__main__":
    space = [Range(param="train.rate", low=0.1, high=0.9, scale="linear")]
    block = Sweep(trials=4, random_share=1.0, space=space, storage="", hours=0, pruner="median", prune_after=9,
                  confirm_seeds=0)
    values = read_yaml(Path("params.yaml"))
    found = search(block, values, target="entity_f1", judge=judge, check=lambda overrides: None, goal=None,
                   budget_hours=0.0, on="ray", address=None, git_remote=None)
    print(json.dumps([[row.state, row.params["train.rate"], row.value, row.rev] for row in found.rows]))
"""


@pytest.mark.slow
@pytest.mark.server
def test_a_search_on_ray_survives_the_death_of_a_worker(project: Any) -> None:
    params = project.folder / "params.yaml"
    params.write_text(params.read_text().replace("sleep: 0.0 ", "sleep: 0.8 "))
    before = project.user_state()
    process = subprocess.Popen(
        [sys.executable, "-c", SEARCH],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    project.until(lambda: project.notes("start", "train"), patience=150)
    at_work = project.until(
        lambda: [one for one in project.processes() if "flows.trials.runner" in " ".join(one.cmdline())]
    )
    at_work[0].parent().kill()
    said, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    rows = json.loads(said.splitlines()[-1])
    assert [state for state, *_ in rows] == ["done"] * 4
    assert [value for _, _, value, _ in rows] == [round(rate + 0.01, 6) for _, rate, _, _ in rows]
    assert {rev for *_, rev in rows} == set(project.trials().values())
    assert project.user_state() == before and project.left_behind() == []
