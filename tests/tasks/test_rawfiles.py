"""Raw files are found, or the message says what is there; nothing leaves the folder of raw data."""

from pathlib import Path

import pytest

from tasks import rawfiles
from tasks.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("raw/one/train.conll", "raw/one/more/test.conll", "raw/two/x.txt", "outside.conll"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a\tO\n")
    return tmp_path / "raw"


def refused(root: Path, dataset: str, *names: str) -> str:
    with pytest.raises(UserError) as caught:
        rawfiles.find(root / dataset, dataset, {"train": list(names), "test": []})
    return str(caught.value)


def test_files_come_in_the_order_of_params(root: Path) -> None:
    files = rawfiles.find(root / "one", "one", {"train": ["train.conll"], "test": ["./more/test.conll"]})
    assert [(file.name, file.split) for file in files] == [("train.conll", "train"), ("more/test.conll", "test")]
    nested = rawfiles.find(root / "one/more", "one/more", {"train": ["test.conll"]})
    assert nested[0].path == root / "one/more/test.conll"


def test_a_missing_dataset_names_the_others_and_how_to_get_it(root: Path) -> None:
    assert refused(root, "three", "x") == (
        f"params.yaml: dataset: 'three' is not there; {root} holds: one, two; 'hone import PATH --as three' adds one"
    )
    (root / "three.dvc").write_text("outs: []\n")
    assert f"'dvc pull {root}/three.dvc' or" in refused(root, "three", "x")


def test_a_missing_file_names_those_that_are_there(root: Path) -> None:
    message = refused(root, "one", "valid.conll")
    assert message.startswith("params.yaml: splits.train: 'valid.conll' is not in ")
    assert message.endswith("there are: more/test.conll, train.conll")
    for number in range(20):
        (root / "two" / f"{number:02}").touch()
    assert refused(root, "two", "x").endswith(", 11 and 9 more")
    (root / "one" / "odd.conll").mkdir()
    assert "is not in" in refused(root, "one", "odd.conll")


@pytest.mark.parametrize("name", ["../two/x.txt", "/etc/passwd", "more/../../two/x.txt", "", ".", "a\0b"])
def test_a_name_may_not_leave_the_dataset(root: Path, name: str) -> None:
    assert "leaves the folder of raw data" in refused(root, "one", name)


@pytest.mark.parametrize("dataset", ["..", "../raw/one", "one/../two", "."])
def test_a_dataset_may_not_leave_the_raw_data(root: Path, dataset: str) -> None:
    assert refused(root, dataset, "train.conll").startswith(f"params.yaml: dataset: {dataset!r} leaves the folder")


def test_links_out_are_refused_except_into_the_cache(root: Path) -> None:
    (root / "one/link.conll").symlink_to(root.parent / "outside.conll")
    (root / "linked").symlink_to(root.parent)
    assert "is a link out of" in refused(root, "one", "link.conll")
    assert "params.yaml: dataset: 'linked' is a link out of" in refused(root, "linked", "outside.conll")
    cached = root.parent / "cache/files/md5/ab" / ("0" * 30)
    cached.parent.mkdir(parents=True)
    cached.write_text("a\tO\n")
    (root / "one/cached.conll").symlink_to(cached)
    (root / "one/within.conll").symlink_to(root / "two/x.txt")
    assert len(rawfiles.find(root / "one", "one", {"train": ["cached.conll", "within.conll"]})) == 2


def test_a_file_counts_once(root: Path) -> None:
    assert refused(root, "one", "train.conll", "./train.conll") == (
        "params.yaml: splits.train: './train.conll' is in splits.train already; name each file once"
    )


def test_only_what_is_not_raw_data_is_cleared(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "a/prepared"
    rawfiles.clear(out, root / "one")
    (out / "old.jsonl").touch()
    rawfiles.clear(out, root / "one")
    assert list(out.iterdir()) == []
    for wrong in (root, root / "one", root / "one/more"):
        with pytest.raises(UserError, match="is cleared, but the raw data is in"):
            rawfiles.clear(wrong, root / "one")
    with pytest.raises(UserError, match="is a file; name a folder"):
        rawfiles.clear(tmp_path / "outside.conll", root / "one")
    assert (root / "one/more/test.conll").is_file()


def test_lines_are_counted(root: Path) -> None:
    (root / "many").write_bytes(b"a\n" * 700_000 + b"b")
    assert rawfiles.count_lines(root / "many") == 700_000


def test_a_folder_without_ending_and_parts_of_one_file_are_names_too(root: Path) -> None:
    (root / "one" / "all.json").write_text("{}")
    found = rawfiles.find(root / "one", "one", {"train": ["more", "all.json:a"], "test": ["all.json:b"]})
    assert [(file.path.name, file.name) for file in found] == [
        ("more", "more"), ("all.json", "all.json:a"), ("all.json", "all.json:b")
    ]  # fmt: skip
    for names in (["all.json:a", "all.json:a"], ["all.json:a", "all.json"]):
        assert "name each file once" in refused(root, "one", *names)
    assert rawfiles.count_lines(root / "one" / "more") is None
