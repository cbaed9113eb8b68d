"""What `hone try` reads of params.yaml, kept once the file was found in order: its types load longer than all the rest.

Another text, or other code that checked it, and it is checked again. The file is safe to delete.
"""

import hashlib
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import tasks
from flows.memo import keep, recall

PARAMS = Path("params.yaml")
KEPT = Path(".dvc/tmp/hone/@params.json")
CODE = Path(next(iter(tasks.__path__)))


@dataclass(frozen=True)
class CheckedParams:
    """Of a params.yaml that is complete and in order.

    Attributes:
        task: name of the adapter, in the variant that its block chooses.
        headline: name of the metric by which models of this task are compared.
        relevant, resamples: as in params.yaml, ``diff``.
    """

    task: str
    headline: str
    relevant: float
    resamples: int


def kept() -> CheckedParams | None:
    """What was kept of exactly this params.yaml, if the code that checked it is still the same."""
    try:
        found = recall(KEPT)
        if found["of"] == _mark() and found["code"] == [_stat(path) for path, *_ in found["code"]]:
            return CheckedParams(**found["params"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def read() -> CheckedParams:
    """Check params.yaml, and keep what it says.

    Raises:
        UserError: as `tasks.params_file.load`.
    """
    from hone.settings import headline
    from tasks import adapters
    from tasks.params_file import load

    mark = _mark()
    settings = load(PARAMS)
    task = adapters.name_of(settings.task, settings.options)
    found = CheckedParams(task, headline(), settings.diff.relevant, settings.diff.resamples)
    code = [module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "tasks"]
    facts = {"of": mark, "code": sorted(_stat(path) for path in code if path), "params": asdict(found)}
    if KEPT.parents[2].is_dir() and mark == _mark():
        keep(KEPT, facts)
    return found


def _mark() -> str:
    """The hash of the text, and the names of the adapters that there are."""
    adapters = sorted(path.name for path in CODE.glob("adapters/*.py"))
    return hashlib.sha256("\0".join(adapters).encode() + b"\0" + PARAMS.read_bytes()).hexdigest()


def _stat(path: str) -> list[str | int]:
    status = Path(path).stat()
    return [path, status.st_mtime_ns, status.st_size]
