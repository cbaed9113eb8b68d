"""Files of predictions: the same bytes with and without an interruption, at whatever moment it came."""

import fcntl
import gzip
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tasks import predict, prediction_files
from tasks.errors import UserError
from tasks.text_files import Source, format_of, opened, read

IDENTITY = {"model": "abc"}


class KilledError(Exception):
    pass


def answer(texts: list[Any]) -> list[dict[str, Any]]:
    plain = [text if isinstance(text, str) else " ".join(text) for text in texts]
    return [{"text": text, "label": f"{len(text)}", "confidence": 0.5} for text in plain]


def killed_after(calls: int) -> Callable[[list[Any]], list[dict[str, Any]]]:
    left = iter(range(calls))

    def answering(texts: list[Any]) -> list[dict[str, Any]]:
        if next(left, None) is None:
            raise KilledError
        return answer(texts)

    return answering


@pytest.fixture(params=["txt", "jsonl", "csv", "tsv", "parquet", "txt.gz", "jsonl.gz", "csv.gz"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    import pyarrow as arrow
    from pyarrow import parquet

    monkeypatch.setattr(predict, "RECORDS", 7)
    rows = [{"id": str(number), "text": f"Ann, {'x' * (number % 5)} é {number}"} for number in range(50)]
    file = tmp_path / f"in.{request.param}"
    kind = request.param.removesuffix(".gz")
    if kind == "parquet":
        parquet.write_table(arrow.Table.from_pylist(rows), file)
    elif kind == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "txt":
        file.write_text("".join(row["text"] + "\n" for row in rows))
    else:
        quote, tab = ("", "\t") if request.param == "tsv" else ('"', ",")
        lines = [f"{row['id']}{tab}{quote}{row['text']}{quote}" for row in rows]
        file.write_text("\n".join([f"id{tab}text", *lines]) + "\n")
    if kind != request.param:
        file.write_bytes(gzip.compress(file.read_bytes()))
    return Source(file, format_of(file, ""), "", 1000)


def out(source: Source, name: str) -> Path:
    assert source.file is not None
    endings = "".join(source.file.suffixes)
    return source.file.with_name(name + (endings.replace("txt", "jsonl")))


def unpacked(file: Path) -> str:
    raw = file.read_bytes()
    return (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode()


@pytest.mark.parametrize("calls", [0, 1, 4])
def test_an_interrupted_run_goes_on_to_the_same_bytes(source: Source, calls: int) -> None:
    whole, cut = out(source, "whole"), out(source, "cut")
    predict.predict(source, whole, answer, IDENTITY)
    with pytest.raises(KilledError):
        predict.predict(source, cut, killed_after(calls), IDENTITY)
    assert not cut.exists()
    part = cut.with_name(cut.name + ".part")
    with part.open("ab") as file:  # killed between the part and its marker
        file.write(b"half a li")
    answered: list[Any] = []

    def remember(texts: list[Any]) -> list[dict[str, Any]]:
        answered.extend(texts)
        return answer(texts)

    predict.predict(source, cut, remember, IDENTITY)
    assert cut.read_bytes() == whole.read_bytes()
    assert len(answered) == 50 - 7 * calls
    assert sorted(path.name for path in cut.parent.iterdir()) == sorted(
        [str(source.file and source.file.name), whole.name, cut.name]
    )


def test_another_model_or_a_changed_input_begins_anew(source: Source) -> None:
    assert source.file is not None
    target = out(source, "out")
    with pytest.raises(KilledError):
        predict.predict(source, target, killed_after(2), IDENTITY)
    with pytest.raises(KilledError):
        predict.predict(source, target, killed_after(0), {"model": "other"})
    assert target.with_name(target.name + ".part").stat().st_size == 0


@pytest.mark.parametrize("finished", [False, True])
def test_a_part_that_another_process_writes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    file, target = tmp_path / "in.txt", tmp_path / "out.jsonl"
    file.write_text("Ann\nBob\n")
    source = Source(file, "text", "", 1000)
    part = target.with_name("out.jsonl.part")
    other = part.open("wb")
    fcntl.flock(other, fcntl.LOCK_EX)
    said: list[str] = []

    def ends(line: str) -> None:
        said.append(line)
        if finished:
            other.write(b"theirs\n")
            part.replace(target)
        other.close()

    monkeypatch.setattr(prediction_files, "say", ends)
    if finished:
        with pytest.raises(UserError, match="is there already"):
            predict.predict(source, target, answer, IDENTITY)
        assert target.read_bytes() == b"theirs\n"
    else:
        predict.predict(source, target, answer, IDENTITY)
        assert len(target.read_bytes().splitlines()) == 2
    assert said == [f"{part}: another process writes it; waiting until it ends"]


def test_outputs_in_another_folder_have_the_names_of_the_inputs() -> None:
    for name, expected in (
        ("a.txt", "a.jsonl"),
        ("a.txt.gz", "a.jsonl.gz"),
        ("a.csv.gz", "a.csv.gz"),
        ("b.parquet", "b.parquet"),
    ):
        assert prediction_files.output_name(Source(Path(name), format_of(Path(name), ""), "", 9)) == expected


def test_what_is_written(source: Source) -> None:
    target = out(source, "out")
    predict.predict(source, target, answer, IDENTITY)
    if source.format == "parquet":
        from pyarrow import parquet

        rows = parquet.read_table(target).to_pylist()
        assert list(rows[0]) == ["id", "text", "predicted"]
        assert json.loads(rows[9]["predicted"])["label"] == str(len(rows[9]["text"]))
    elif source.format in ("jsonl", "text"):
        lines = [json.loads(line) for line in unpacked(target).splitlines()]
        assert all(line["predicted"]["label"] == str(len(line["text"])) for line in lines)
    else:
        header, first = islice(unpacked(target).splitlines(), 2)
        assert header.endswith("predicted") and "confidence" in first
        written = Source(target, source.format, "", 1000)
        with opened(written) as (stream, _):  # hone reads what it wrote
            again = list(read(written, stream))
        assert json.loads(again[9].fields["predicted"])["label"] == str(len(again[9].fields["text"]))
    with pytest.raises(UserError, match="is there already"):
        predict.predict(source, target, answer, IDENTITY)


def test_a_form_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("text,predicted\na,b\n")
    source = Source(file, "csv", "", 100)
    with pytest.raises(UserError, match="from csv to parquet is not known"):
        predict.predict(source, tmp_path / "out.parquet", answer, IDENTITY)
    for name in ("out.csv", "out.jsonl"):
        with pytest.raises(UserError, match="has a field 'predicted' already"):
            predict.predict(source, tmp_path / name, answer, IDENTITY)
    with pytest.raises(UserError, match=r"gone.csv: no such file"):
        predict.predict(Source(tmp_path / "gone.csv", "csv", "", 100), None, answer, IDENTITY)
