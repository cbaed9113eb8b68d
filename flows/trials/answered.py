"""Trials whose result is known, answered from what Git has recorded: no worktree, no DVC, some git processes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flows.dag import PARAMS, PIPELINE
from flows.trials import keys, preflight, tracked
from flows.trials.experiment import check_name
from flows.trials.git import Asked, Objects, asked, objects
from flows.trials.known import Inputs
from flows.trials.place import log_file
from flows.trials.recorded import list_trials, one_recorded
from flows.trials.tracked import UNDER_WAY
from flows.trials.trial import Outcome, Recorded, Trial
from flows.yaml_files import read_yaml
from tasks.errors import UserError


class Seen:
    """The workspace at one moment, as far as the keys of trials ask.

    Attributes:
        inputs: what the keys are made of.
        objects: of the repository.
    """

    def __init__(self, root: Path, inputs: Inputs, listing: str, objects: Objects) -> None:
        self.inputs = inputs
        self.objects = objects
        self._root = root
        self._listing = listing

    def recorded(self, wanted: Iterable[str]) -> dict[str, Recorded]:
        """The last recorded trial by key, of those keys that have one."""
        hits = [
            one_recorded(self._root, ref, rev, self.objects.get)
            for rev, ref in keys.named(self._listing, set(wanted))
        ]  # fmt: skip
        if not all(hits):  # a message that somebody wrote anew
            return {one.key: one for one in list_trials(self._root, only=set(wanted).__contains__)}
        return {one.key: one for one in sorted(filter(None, hits), key=lambda one: one.time)}

    def known(self, trials: Sequence[Trial]) -> list[Outcome] | None:
        """The outcomes, if all of these trials are known."""
        asked_for = [self.inputs.key(trial.overrides) for trial in trials]
        found = self.recorded(asked_for)
        if not all(key in found for key in asked_for):
            return None
        return [self.outcome(trial, found[key]) for trial, key in zip(trials, asked_for, strict=True)]

    def outcome(self, trial: Trial, found: Recorded) -> Outcome:
        """What became of ``trial``, of which ``found`` has the key."""
        log = log_file(self._root, found.trial.group, found.trial.name)
        return Outcome(trial, "known", found.rev, found.metrics, found.cost, log, name=found.trial.name)


@contextmanager
def look(trials: Sequence[Trial]) -> Iterator[Seen | None]:
    """Look at the workspace of the current folder for these trials.

    None where trials would be refused or DVC would have to be asked first: `run_trials` does that and says why.
    """
    root = Path.cwd()
    folder = _git_folder(root)
    if folder is None or any((folder / name).exists() for name in UNDER_WAY):
        yield None
        return
    with asked(*tracked.STATE) as state, asked(*keys.LISTING) as listing, objects() as store:
        try:
            seen = _look(root, folder, trials, state, listing, store)
        except UserError:
            seen = None
        yield seen


def _look(
    root: Path, folder: Path, trials: Sequence[Trial], state: Asked, listing: Asked, store: Objects
) -> Seen | None:
    values, pipeline = read_yaml(PARAMS), read_yaml(PIPELINE)
    plain = Inputs(values, pipeline, {})
    cases = {tuple(plain.raw(trial.overrides)): trial for trial in trials}
    with ExitStack() as stack:
        ignored = {raw: stack.enter_context(asked(*preflight.ignored([*raw]))) for raw in cases if raw}
        inputs = Inputs(values, pipeline, tracked.ids(state.answer(), folder / "index"))
        if not {str(PARAMS), str(PIPELINE)} <= inputs.files:
            return None
        for raw, trial in cases.items():
            sources = inputs.sources(trial.overrides)
            if sources and not preflight.remembered(sources):
                return None
            if raw:
                preflight.refuse_ignored([*raw], sources, ignored[raw].answer())
    for trial in trials:
        check_name(trial.name)
    return Seen(root, inputs, listing.answer(), store)


def _git_folder(root: Path) -> Path | None:
    """Git's folder of the checkout with the top ``root`` (gitrepository-layout); None where that is not plain."""
    git = root / ".git"
    if git.is_dir():
        return git
    try:
        word, _, path = git.read_text(encoding="utf-8").rstrip("\n").partition(": ")
    except (OSError, UnicodeDecodeError):
        return None
    return root / path if word == "gitdir" else None
