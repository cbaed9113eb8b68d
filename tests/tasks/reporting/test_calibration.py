"""The confidence of the model against what is right."""

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.reporting.calibration import Bin, Threshold, read_calibration

RUN = Path(__file__).parent / "fixtures/run"


def test_what_evaluate_writes_is_read() -> None:
    found = read_calibration(RUN / "calibration.json", RUN / "reliability.csv")
    assert found.temperature == 1.35
    assert found.bins[-1] == Bin(9, 0.95, 0.777778)
    assert found.thresholds[0] == Threshold(0.0, 0.615, 0.571)
    assert len(found.thresholds) == 21


def test_a_broken_line_is_refused_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "reliability.csv"
    file.write_text((RUN / "reliability.csv").read_text().replace("0.62,", "x,"))
    with pytest.raises(UserError, match=r"reliability\.csv:3: could not convert"):
        read_calibration(RUN / "calibration.json", file)
