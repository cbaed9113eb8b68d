"""`hone score` on small files of every form, and on the public sample of conlleval."""

import json
from pathlib import Path
from typing import Any

import pytest

from hone.score import score
from tasks.errors import UserError

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT.parent / "shared/data/scoring/conll2000_sample_output.txt"
WORDS = ["Ann", "Lee", "met", "Bob"]
GOLD = ["B-PER", "I-PER", "O", "B-PER"]
WRONG = ["B-PER", "O", "O", "B-PER"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())


def columns(name: str, *sentences: tuple[list[str], list[str]]) -> Path:
    blocks = ["\n".join(map(" ".join, zip(words, tags, strict=True))) for words, tags in sentences]
    Path(name).write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return Path(name)


def lines(name: str, *values: Any) -> Path:
    Path(name).write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return Path(name)


def run(gold: Path, *predicted: Path, form: Any = "json", scheme: str | None = None, column: int = -1) -> int:
    return score(gold, list(predicted), form, scheme, column, -1)


def result(capsys: pytest.CaptureFixture[str], *files: Path, **options: Any) -> dict[str, Any]:
    assert run(*files, **options) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def forms() -> list[Path]:
    return [
        columns("a.conll", (WORDS, WRONG)),
        lines("tokens.jsonl", {"tokens": WORDS, "tags": WRONG}),
        lines("predictions.jsonl", {"id": "x:1", "gold": ["O"] * 4, "predicted": WRONG, "confidence": [1, 1, 1, 1]}),
        lines("examples.jsonl", {"id": "x:1", "inputs": {"words": WORDS}, "target": WRONG}),
    ]


def test_every_form_of_file_gives_the_same_scores(capsys: pytest.CaptureFixture[str]) -> None:
    gold = columns("gold.conll", (WORDS, GOLD))
    found = [result(capsys, gold, path)["systems"][0] for path in forms()]
    assert [one.pop("file") for one in found] == [str(path) for path in forms()]
    assert found[0] == found[1] == found[2] == found[3]
    assert (found[0]["entity_f1"], found[0]["entity_f1_type_only"]) == (0.5, 1.0)
    assert found[0]["interval"] == "95 % bootstrap over sentences, 1000 resamples"


def test_gold_of_hones_predictions_is_their_gold(capsys: pytest.CaptureFixture[str]) -> None:
    both = lines("p.jsonl", {"id": "x:1", "document": "d", "gold": GOLD, "predicted": WRONG, "confidence": [1] * 4})
    assert result(capsys, both, both)["systems"][0]["entity_f1"] == 0.5


def test_other_schemes_are_read_and_what_was_mended_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    gold = columns("gold.conll", (WORDS, ["B-PER", "E-PER", "O", "S-PER"]))
    predicted = columns("p.conll", (WORDS, ["B-PER", "E-PER", "O", "E-PER"]))
    found = result(capsys, gold, predicted)
    assert (found["read_as"], found["systems"][0]["entity_f1"]) == ("BIOES", 1.0)
    assert sum(found["repairs"].values()) == 1
    with pytest.raises(UserError, match=r"gold\.conll:1: tag 'E-PER' of word 2 is none of IOB2|none of IOB1"):
        run(gold, predicted, scheme="IOB1")


@pytest.mark.skipif(not SAMPLE.exists(), reason="the public CoNLL sample is not beside the repository")
def test_the_sample_of_conlleval_in_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    found = result(capsys, SAMPLE, SAMPLE, column=-2)
    own = found["systems"][0]
    assert (found["read_as"], own["words"], round(100 * own["entity_f1_lenient"], 2)) == ("IOB2", 961, 74.35)


def test_tables_for_a_terminal_and_for_a_pull_request(capsys: pytest.CaptureFixture[str]) -> None:
    gold, predicted = columns("gold.conll", (WORDS, GOLD)), columns("p.conll", (WORDS, WRONG))
    run(gold, predicted, form="text")
    text = capsys.readouterr().out.splitlines()
    assert text[1].split() == ["strict", "0.5000", "[0.5000,", "0.5000]", "0.5000", "0.5000", "2"]
    assert any(line.split()[:2] == ["PER", "0.5000"] for line in text)
    assert text[-1].startswith("1 sentences, 4 words, 2 gold entities, tags read as IOB2; in brackets: 95 % bootstrap")
    run(gold, predicted, form="markdown")
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert table[1].startswith("| --- | ---")


def test_two_systems_are_compared_sentence_by_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    gold = columns("gold.conll", *[(WORDS, GOLD)] * 60)
    good = columns("good.conll", *[(WORDS, GOLD)] * 50, *[(WORDS, WRONG)] * 10)
    bad = columns("bad.conll", *[(WORDS, GOLD)] * 10, *[(WORDS, WRONG)] * 50)
    assert result(capsys, gold, bad, good)["comparison"]["verdict"] == "better"
    assert result(capsys, gold, good, bad)["comparison"]["verdict"] == "worse"
    same = result(capsys, gold, good, good)["comparison"]
    assert (same["difference"], same["verdict"]) == (0.0, "no evidence")
    run(gold, bad, good, form="text")
    assert "good.conll against bad.conll: better; strict F1 +0.3333" in capsys.readouterr().out


def test_what_does_not_fit_is_named_with_its_place() -> None:
    gold = columns("gold.conll", (WORDS, GOLD), (["x"], ["O"]))
    cases = {
        r"b\.conll:1: word 3 is 'saw', but 'met' in gold\.conll:1": columns(
            "b.conll", (["Ann", "Lee", "saw", "Bob"], GOLD), (["x"], ["O"])
        ),
        r"c\.conll:1: 3 words, but gold\.conll:1 has 4": columns("c.conll", (WORDS[:3], GOLD[:3]), (["x"], ["O"])),
        r"gold\.conll:6: the other file ends before this sentence": columns("d.conll", (WORDS, GOLD)),
        r"e\.jsonl:1: 4 tokens, but 1 tags": lines("e.jsonl", {"tokens": WORDS, "tags": ["O"]}),
        r"f\.jsonl:1: the tags are no list of strings": lines("f.jsonl", {"tokens": WORDS, "tags": [0, 1, 2, 0]}),
        r"g\.jsonl:1: it holds label, text": lines("g.jsonl", {"text": "x", "label": "y"}),
        r"h\.conll: no sentence in it": columns("h.conll"),
        r"i\.conll: no such file": Path("i.conll"),
    }
    for message, path in cases.items():
        with pytest.raises(UserError, match=message):
            run(gold, path)
    with pytest.raises(UserError, match=r"gold\.conll:1: 2 columns, no column 5 with a tag"):
        run(gold, gold, column=5)
    with pytest.raises(UserError, match="3 files of predictions"):
        run(gold, gold, gold, gold)
