"""dvc.lock line by line says the same as a YAML parser."""

from pathlib import Path

import pytest

from flows.lock_text import locked
from tasks.errors import UserError
from tasks.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]


def test_it_agrees_with_yaml_on_the_shipped_lock() -> None:
    stages = read_yaml(ROOT / "dvc.lock")["stages"].values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage["outs"] if "md5" in out}
    deps = {dep["path"]: dep["md5"] for stage in stages for dep in stage["deps"] if "md5" in dep}
    found = locked((ROOT / "dvc.lock").read_bytes())
    assert found.outs == outs and len(outs) > 8
    assert found.inputs == {path: md5 for path, md5 in deps.items() if path not in outs} and len(found.inputs) > 30


def test_quoted_paths_and_params_that_look_like_entries() -> None:
    text = """schema: '2.0'
stages:
  a:
    cmd: echo "path: x"
    deps:
    - path: 'data/it''s here: x'
      hash: md5
      md5: '11111111111111111111111111111111'
    params:
      params.yaml:
        names:
        - path: no
        md5: no
    outs:
    - path: out
      hash: md5
      md5: 22222222222222222222222222222222.dir
"""
    found = locked(text.encode())
    assert found.inputs == {"data/it's here: x": "1" * 32}
    assert found.outs == {"out": "2" * 32 + ".dir"}


def test_a_form_that_is_not_dvcs_is_refused_and_nothing_is_nothing() -> None:
    with pytest.raises(UserError, match=r"dvc\.lock:4: not as DVC writes it"):
        locked(b"stages:\n  a:\n    outs:\n    - hash: md5\n")
    assert locked(b"").outs == {}
