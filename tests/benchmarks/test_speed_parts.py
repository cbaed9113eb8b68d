"""The parts that the speed benchmark is made of: lengths, step times, the roof's arithmetic, the order of batches."""

import json
from pathlib import Path
from statistics import fmean, median

import pytest

from benchmarks import corpora, hone_side, roof, step_times


@pytest.mark.parametrize("count", [2000, 4000, 14041])
def test_lengths_are_those_of_conll(count: int) -> None:
    lengths = corpora.conll_lengths(count)
    assert fmean(lengths) == pytest.approx(14.5, abs=0.1)
    assert median(lengths) == 10
    assert lengths[int(0.9 * count)] == 32
    assert (lengths[0], lengths[-1]) == (1, 113)
    assert len(lengths) == count


def test_generated_sentences_have_these_lengths_and_sound_tags(tmp_path: Path) -> None:
    first = corpora.write_prepared(tmp_path / "first", 300)
    second = corpora.write_prepared(tmp_path / "second", 300)
    assert (first / "train.jsonl").read_bytes() == (second / "train.jsonl").read_bytes()
    rows = [json.loads(line) for line in (first / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(len(row["inputs"]["words"]) for row in rows) == corpora.conll_lengths(300)
    assert all(len(row["inputs"]["words"]) == len(row["target"]) for row in rows)
    for row in rows:
        for before, tag in zip(["O", *row["target"]], row["target"], strict=False):
            assert not tag.startswith("I-") or before[2:] == tag[2:]
    assert len({" ".join(row["inputs"]["words"]) for row in rows}) > 250  # not the same place over and over


def test_raw_file_has_as_many_sentences_as_asked_for(tmp_path: Path) -> None:
    text = corpora.write_conll(tmp_path / "train.conll", 50).read_text(encoding="utf-8")
    assert text.count("\n\n") == 50
    assert all(line.count("\t") == 1 for line in text.splitlines() if line)


def test_too_few_sentences_have_no_distribution() -> None:
    with pytest.raises(ValueError, match="not 1"):
        corpora.conll_lengths(1)


def test_a_step_is_read_off_at_the_mean_size() -> None:
    sizes = [100, 900, 300, 200, 700, 400, 250]
    seconds = [0.02 + 0.0003 * size for size in sizes]
    assert step_times.typical_step(seconds, sizes, 300) == pytest.approx(0.11)
    seconds[2] += 5  # a neighbour's burst
    assert step_times.typical_step(seconds, sizes, 300) == pytest.approx(0.11)


def test_steps_of_one_size_give_their_median() -> None:
    assert step_times.typical_step([1.0, 9.0, 1.2], [2048, 2048, 2048], 2048) == 1.2


def test_noise_never_makes_a_step_free() -> None:
    assert step_times.typical_step([0.1, 0.5], [100, 110], 20) > 0  # a line through both would say less than nothing
    assert step_times.typical_step([0.5, 0.1], [100, 110], 300) == pytest.approx(0.3)  # and this one falls


def test_times_without_sizes_are_no_measurement() -> None:
    with pytest.raises(ValueError, match="3 step times and 2 sizes"):
        step_times.typical_step([1, 1, 1], [5, 5], 5)


def test_measured_takes_the_steps_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = step_times.StepClock(cuda=False)
    times = iter([10.0, 13.0, 14.0, 16.0, 17.0])  # ends of five steps: two of warm-up
    monkeypatch.setattr(step_times.time, "perf_counter", lambda: next(times))
    assert [clock.mark() for _ in range(5)] == [1, 2, 3, 4, 5]
    found = step_times.measured(clock, [900, 900, 100, 200, 100, 700], 100, sentences=8, warmup=2)
    assert found["step_seconds"] == [1.0, 2.0, 1.0]
    assert found["step_sizes"] == [100, 200, 100]
    assert found["sentences_per_second"] == pytest.approx(8)
    assert found["sentences_per_second_of_the_window"] == pytest.approx(6)
    assert found["peak_memory_mb"] > 5
    assert "peak_device_memory_mb" not in found


def test_flops_of_one_layer_by_hand() -> None:
    shape = roof.Shape(layers=1, width=4, inner=8, classes=3)
    # 5 sub-words. Query, key, value, output: four products (5 x 4)(4 x 4) of 2*5*4*4 = 160 FLOPs each.
    # Inner products (5 x 4)(4 x 8) and back: 2*5*4*8 = 320 each. Scores (5 x 4)(4 x 5) and context (5 x 5)(5 x 4):
    # 2*5*4*5 = 200 each. Head (5 x 4)(4 x 3): 120.
    forward = 4 * 160 + 2 * 320 + 2 * 200 + 120
    assert roof.step_flops(shape, [5]) == 3 * forward
    assert roof.step_flops(shape, [5, 5]) == 6 * forward
    assert roof.step_flops(shape, [10]) > 6 * forward  # attention is quadratic


def test_flops_are_those_that_pytorch_counts() -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import BertConfig, BertForTokenClassification

    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=5,
        attn_implementation="eager",
    )
    model = BertForTokenClassification(config)
    ids = torch.arange(7)[None]
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, labels=ids % 5).loss.backward()
    assert roof.step_flops(roof.Shape(2, 16, 32, 5), [7]) == counter.get_total_flops()


def test_updated_parameters_are_those_with_a_gradient() -> None:
    import torch
    from transformers import BertConfig, BertForTokenClassification

    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=5,
        attn_implementation="eager",
    )
    torch.manual_seed(1)
    model = BertForTokenClassification(config).eval()
    ids = torch.tensor([[2, 9, 9, 7, 3, 11]])
    model(input_ids=ids, labels=ids % 5).loss.backward()
    found = 0
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        assert gradient is not None
        rows = "embeddings.weight" in name  # of these only the rows that were looked up
        found += int((gradient != 0).any(dim=1).sum()) * gradient.shape[1] if rows else gradient.numel()
    assert roof.updated_parameters(roof.Shape(2, 16, 32, 5), used_rows=5, longest=6) == found


def test_roof_is_arithmetic_plus_memory() -> None:
    assert roof.roof_seconds(3e9, 1_000_000, product_rate=3e11, memory_rate=1.4e10) == pytest.approx(0.01 + 0.002)


def test_rates_are_measured() -> None:
    found = roof.measure("cpu", 1, repeats=1, bf16=False, elements=1 << 16)
    assert set(found) == {"memory_rate", "product_rate"}
    assert all(rate > 1e6 for rate in found.values())


def test_the_largest_batch_comes_first_and_none_is_lost() -> None:
    lengths = [3, 9, 4, 1, 8, 2]
    order = hone_side.Order(lambda lengths, epoch: [[0, 3], [1, 4], [2, 5]])
    assert order(lengths, epoch=1) == [[1, 4], [0, 3], [2, 5]]
    assert order.sizes == [17, 4, 6]
    assert order.examples == 6
    assert order(lengths, epoch=2) == [[0, 3], [1, 4], [2, 5]]  # of the first epoch alone
    assert order.sizes == [17, 4, 6]


def test_the_stage_gets_the_paths_of_dvc_yaml() -> None:
    given = hone_side.stage_arguments()
    assert {"--prepared", "--model", "--history", "--cost"} <= set(given[::2])
    assert not any(Path(path).is_absolute() for path in given[1::2])
