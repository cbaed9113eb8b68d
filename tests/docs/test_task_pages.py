"""The params that docs/tasks/ shows: they are read, each key is known, and the files are those of the data sets."""

import re
from pathlib import Path
from typing import Any

import pytest

from tasks import params_file
from tasks.yaml_files import read_yaml, read_yaml_text

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data"
MADE_UP = {"intents"}  # that a page speaks of and nobody has
PAGES = sorted((ROOT / "docs" / "tasks").glob("*.md"))
BLOCKS = [
    pytest.param(page, block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]


def laid_over(values: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """``values`` with those of ``block``, and none that ``block`` makes up."""
    unknown = set(block) - set(values)
    assert not unknown, f"no params: {unknown}"
    return values | {
        key: laid_over(values[key], value) if isinstance(value, dict) else value for key, value in block.items()
    }


def test_every_page_shows_params() -> None:
    assert {str(one.id).rpartition("-")[0] for one in BLOCKS} == {page.stem for page in PAGES}
    assert len(PAGES) >= 8


@pytest.mark.parametrize(("page", "text"), BLOCKS)
def test_params_of_a_page_are_valid(page: Path, text: str, tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    block = {"task": page.stem} | read_yaml_text(text, page.name)
    values = laid_over(read_yaml(ROOT / "params.yaml"), block)
    YAML(typ="safe").dump(values, tmp_path / "params.yaml")
    params_file.load(tmp_path / "params.yaml")


@pytest.mark.skipif(not REAL.is_dir(), reason="no real data here")
@pytest.mark.parametrize(("page", "text"), [one for one in BLOCKS if "splits:" in one.values[1]])
def test_files_of_a_page_are_those_of_the_data(page: Path, text: str) -> None:
    block = read_yaml_text(text, page.name)
    found = sorted(REAL.rglob(f"{block['dataset']}*"), key=lambda path: len(path.name))  # a folder, or the file itself
    assert bool(found) == (block["dataset"] not in MADE_UP)
    named = [name for names in block["splits"].values() for entry in names for name in entry.split(":")]
    files = [name for name in named if "." in name]
    assert files
    for path in found[:1]:
        folder = path if path.is_dir() else path.parent
        assert not [name for name in files if not (folder / name).is_file()]
