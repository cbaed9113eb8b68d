"""The DAG as dvc.yaml writes it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.dag import Stage, in_order, overlap, select, stages, touching, variable_files
from tasks.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def node(name: str, deps: str = "", outs: str = "") -> Stage:
    return Stage(name, "", tuple(deps.split()), tuple(outs.split()), (), (), ())


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("dataset: ours\nfinetune: {size: 5e-5}\n")
    return tmp_path


def test_the_shipped_pipeline_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = stages()
    assert [stage.name for stage in found[:4]] == ["preprocess", "finetune", "evaluate", "report"]
    assert all(stage.desc for stage in found)
    assert found[2].uncached == ("data/metrics.validation.json", "data/metrics.test.json")


def test_upstream_comes_first_whatever_the_file_says() -> None:
    unordered = [node("last", deps="b/x c"), node("first", outs="a"), node("left", "a", "b"), node("right", "a", "c")]
    assert [stage.name for stage in in_order(unordered)] == ["first", "left", "right", "last"]


def test_a_circle_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="one -> two -> one depend on each other"):
        in_order([node("one", "b", "a"), node("two", "a", "b")])


def test_select_takes_all_before_and_nothing_after() -> None:
    ordered = [node("a", "", "1"), node("b", "1", "2"), node("other", "", "x"), node("c", "2", "3")]
    assert [stage.name for stage in select(ordered, ["b"])] == ["a", "b"]
    assert select(ordered, []) == ordered
    with pytest.raises(UserError, match=r"'z' is no stage; dvc\.yaml has: a, b, other, c"):
        select(ordered, ["z"])


def test_overlap_is_about_folders_not_letters() -> None:
    assert overlap("data/model", "data/model/weights")
    assert overlap("data/model/weights", "data/model")
    assert not overlap("data/model", "data/model2")


def test_templates_vars_and_sources(written: Path) -> None:
    (written / "more.yaml").write_text("where: there\n")
    (written / "dvc.yaml").write_text(
        "vars: [more.yaml, {inline: {name: x}}]\n"
        "stages:\n"
        "  one:\n"
        "    cmd: c\n"
        "    deps: ['data/raw/${dataset}', '${where}/${inline.name}']\n"
        "    outs: [{'out/${finetune.size}': {cache: false}}, kept]\n"
        "    metrics: [m.json]\n"
    )
    (written / "data/raw/ours").mkdir(parents=True)
    (written / "data/raw/ours.dvc").write_text("outs: []\n")
    (one,) = stages()
    assert one.deps == ("data/raw/ours", "there/x")
    assert one.outs == ("kept", "m.json")
    assert one.uncached == ("out/5e-05",)
    assert one.metrics == ("m.json",)
    assert one.sources == ("data/raw/ours.dvc",)
    assert variable_files() == ["more.yaml", "params.yaml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: {}\n", "no stages"),
        ("stages: {a: {cmd: c, deps: ['${nowhere.x}']}}\n", r"stages.a: '\${nowhere.x}' is not in params.yaml"),
        ("stages: {a: {foreach: [1], do: {cmd: c}}}\n", "'foreach' is known to 'dvc repro' only"),
        ("stages: {a: {cmd: c, wdir: sub}}\n", "'wdir' is known to 'dvc repro' only"),
        ("stages: {a: 1}\n", "stages.a: not a mapping"),
        ("stages: [", "not YAML"),
    ],
)
def test_what_cannot_be_run_says_so(written: Path, text: str, message: str) -> None:
    (written / "dvc.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        stages()


PATHS = st.lists(st.sampled_from(["a", "b", "ab", "..", "."]), max_size=4).map("/".join)


@given(PATHS, st.lists(PATHS, max_size=4), st.booleans())
def test_touching_one_of_many_is_overlapping_with_one(path: str, others: list[str], root: bool) -> None:
    path = f"/{path}" if root else path
    assert touching(others)(path) == any(overlap(path, other) for other in others)
