"""Values that do not go with the task or the model, refused with the key and the remedy."""

from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, RobertaConfig

from tasks import adapters, objectives, params_file
from tasks.combinations import examples_at_once, model_limit, refuse_combinations, refuse_longer
from tasks.errors import UserError
from tasks.params import Finetune
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
SMALL = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def options(**changes: Any) -> Finetune:
    """The block ``finetune`` of params.yaml with some values changed."""
    return Finetune.model_validate(params_file.load(ROOT / "params.yaml").finetune.model_dump() | changes)


def refuse(task: str, **changes: Any) -> None:
    adapter = adapters.find(task)
    own = params_file.check(adapter.options, read_yaml(ROOT / "params.yaml")[task], Path("params.yaml"))
    objective = objectives.make(adapter.objective(own), 3)
    refuse_combinations(options(**changes), task, adapter, objective)


@pytest.mark.parametrize("task", params_file.tasks_available())
def test_the_shipped_values_go_with_every_task(task: str) -> None:
    refuse(task)


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("translation", {"features": "frozen"}, r"finetune\.features: frozen is for an encoder .* whole; write last"),
        ("summarization", {"frozen_layers": 2}, r"finetune\.frozen_layers: 2 is for an encoder .* whole; write 0"),
        ("translation", {"layer_decay": 0.9}, r"finetune\.layer_decay: 0\.9 is for an encoder .* whole; write 1\.0"),
        ("dialogue", {"model": "scratch"}, r"finetune\.model: scratch is for tasks that write texts; task: dialogue"),
        ("extractive_qa", {"class_weights": "balanced"}, r"finetune\.class_weights: balanced weighs one class against"),
        ("dialogue", {"batch_size": 1}, r"batch_size: 1, .* leave 1 history in memory at once, but task: dialogue"),
        ("dialogue", {"micro_batch_size": 1}, r"micro_batch_size: 1, .* leave 2 at least, more are better"),
    ],
)
def test_what_does_not_go_with_the_task_is_refused(task: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=r"^params\.yaml: .*" + message) as error:
        refuse(task, **changes)
    assert "\n" not in str(error.value)


def test_a_head_that_the_task_has_not_is_refused_as_params_are_read() -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["finetune"]["head"] = "crf"
    params_file.checked(values, Path("params.yaml"))
    values["task"] = "extractive_qa"
    with pytest.raises(UserError, match=r"finetune\.head: crf does not go with task: extractive_qa; .*: linear, mlp"):
        params_file.checked(values, Path("params.yaml"))


def test_a_step_is_parted_among_processes_and_micro_batches() -> None:
    assert examples_at_once(options(batch_size=16, micro_batch_size=0, processes=1)) == 16
    assert examples_at_once(options(batch_size=16, micro_batch_size=4, processes=2)) == 4
    assert examples_at_once(options(batch_size=16, micro_batch_size=0, processes=4)) == 4


def test_more_than_the_model_reads_is_refused_and_padding_takes_places_of_some() -> None:
    bert, roberta = (kind(**SMALL, max_position_embeddings=66, pad_token_id=1) for kind in (BertConfig, RobertaConfig))
    assert (model_limit(bert), model_limit(roberta)) == (66, 64)
    refuse_longer(64, "toy", roberta)
    with pytest.raises(UserError, match=r"max_length: 65 is more than the 64 that toy can read; write 64 or less"):
        refuse_longer(65, "toy", roberta)
