import re
from pathlib import Path
from typing import Any

import pytest

from tasks import adapters
from tasks.params import Params
from tasks.params_file import check, tasks_available
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]


def test_types_have_no_defaults() -> None:
    def fields(section: Any, prefix: str = "") -> Any:
        for name, field in section.model_fields.items():
            yield prefix + name, field
            if hasattr(field.annotation, "model_fields"):
                yield from fields(field.annotation, f"{prefix}{name}.")

    found = list(fields(Params)) + [
        (f"{task}.{name}", field) for task in tasks_available() for name, field in fields(adapters.find(task).options)
    ]
    assert len(found) > 30
    assert [name for name, field in found if not field.is_required()] == []


def test_every_value_has_a_comment_with_its_meaning() -> None:
    lines = [line for line in (ROOT / "params.yaml").read_text().splitlines() if re.match(r" *[a-z_]+:", line)]
    assert len(lines) > 30
    bare = [line for line in lines if not re.search(r" # .{8,}", line) and not re.fullmatch(r"[a-z_]+:", line.strip())]
    assert bare == []


@pytest.mark.parametrize("task", tasks_available())
def test_every_adapter_block_fits_its_type(task: str) -> None:
    block = read_yaml(ROOT / "params.yaml")[task]
    check(adapters.find(task).options, block, Path("params.yaml"), f"{task}.")
