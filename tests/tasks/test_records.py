from pathlib import Path

from tasks.records import Prediction, read_lines, read_predictions, write_lines, write_predictions


def test_predictions_come_back_and_their_lines_have_a_fixed_order(tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    made = [
        Prediction("a:1", ["B-PER"], ["O"], [0.75], "a:0", ["B-PER"], [0.1234564]),
        Prediction("a:2", [], [], []),
    ]
    assert write_predictions(file, made) == 2
    assert file.read_text(encoding="utf-8").splitlines()[0] == (
        '{"id":"a:1","document":"a:0","gold":["B-PER"],"predicted":["O"],"confidence":[0.75],'
        '"runner_up":["B-PER"],"runner_up_confidence":[0.123456]}'
    )
    assert list(read_predictions(file)) == [
        Prediction("a:1", ["B-PER"], ["O"], [0.75], "a:0", ["B-PER"], [0.123456]),
        made[1],
    ]


def test_predictions_of_older_revisions_have_no_runner_up(tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    file.write_text('{"id":"a:1","gold":["O"],"predicted":["O"],"confidence":[0.5]}\n', encoding="utf-8")
    assert list(read_predictions(file)) == [Prediction("a:1", ["O"], ["O"], [0.5])]


def test_lines_keep_their_order_and_their_letters(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    assert write_lines(path, [{"b": "ä", "a": 1}, {}]) == 2
    assert path.read_text(encoding="utf-8") == '{"b":"ä","a":1}\n{}\n'
    assert list(read_lines(path)) == [{"b": "ä", "a": 1}, {}]
    assert write_lines(path, []) == 0
