from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.yaml_files import read_yaml, read_yaml_text

ROOT = Path(__file__).parents[2]


def test_both_parsers_read_the_same() -> None:
    from ruamel.yaml import YAML

    odd = "a: 5e-5\nb: 1.0e+9\nc: yes\nd: 0o17\ne: 017\nf: 1:30\ng: 1_000\nh: ~\ni: {j: [on, No, +0.5, 0x1F]}\n"
    for text in (odd, *((ROOT / name).read_text() for name in ("params.yaml", "dvc.yaml"))):
        assert repr(YAML(typ="safe").load(text)) == repr(YAML(typ="safe", pure=True).load(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1\n", r"x\.yaml:\d+: not YAML \(.+\); mend the line or 'git checkout x\.yaml'"),
        ("a:\n  b: [train.en:train.de]\n", r"x\.yaml:2: not YAML \(.+\); put what holds the ':' in quotes or"),
        ("- a\n", r"x\.yaml: empty; 'git checkout x\.yaml' brings the last one back"),
        ("", r"x\.yaml: empty"),
    ],
)
def test_what_is_no_mapping_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_yaml_text(text, "x.yaml")


def test_a_file_that_is_not_there_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; run this in the project's folder"):
        read_yaml(tmp_path / "dvc.yaml")
