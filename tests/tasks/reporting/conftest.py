"""A small finished run: files as preprocess, finetune and evaluate write them."""

import shutil
import sys
from pathlib import Path

import pytest

from tasks import adapters, params, params_file
from tasks.reporting.gather import Report, gather

ROOT = Path(__file__).parents[3]
RUN = Path(__file__).parent / "fixtures" / "run"
if str(ROOT) not in sys.path:  # for tests.browser
    sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def settings() -> params.Params:
    """params.yaml as shipped, with a report that shows all."""
    shipped = params_file.load(ROOT / "params.yaml")
    report = params.Report(worst_mistakes=40, show_text=True, license="apache-2.0")
    return shipped.model_copy(update={"task": "token_classification", "dataset": "tiny", "report": report})


@pytest.fixture(scope="session")
def gathered(settings: params.Params) -> Report:
    """What the report of the finished run shows."""
    return gather(RUN, settings, adapters.find("token_classification"), ("entity_f1", 0.75))


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    shutil.copytree(RUN, tmp_path / "data")
    return tmp_path / "data"
