"""Stage report: what a person reads, one self-contained report.html, report.md for a comment, and the model card."""

from pathlib import Path
from typing import Any

from tasks import adapters, params, params_file
from tasks.reporting.data_card import read_data_card
from tasks.reporting.gather import gather
from tasks.reporting.html import html
from tasks.reporting.markdown import markdown
from tasks.reporting.model_card import fingerprints, model_card
from tasks.scoring.goal import HEADLINE
from tasks.stage import argument_parser, run_stage, say


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="folder of the raw files and their data card")
    parser.add_argument("--data", type=Path, required=True, help="folder of the stages' files")
    parser.add_argument("--report", type=Path, required=True, help="folder of the report, written")
    parser.add_argument("--cost", type=Path, required=True, help="JSON of time and memory, written; not an out")
    paths = parser.parse_args()

    def work() -> dict[str, Any]:
        return report(params_file.load(Path("params.yaml")), paths.raw, paths.data, paths.report)

    run_stage("report", work, paths.cost)


def report(settings: params.Params, raw: Path, data: Path, folder: Path) -> dict[str, Any]:
    """Write report.html, report.md and model_card.md into ``folder`` from the files of the other stages in ``data``.

    All are stable to the byte: the same files and params give the same report.

    Raises:
        UserError: a file is missing, broken, or does not belong to the others.
    """
    adapter, goal = adapters.find(adapters.name_of(settings.task, settings.options)), settings.goal
    metric = adapter.headline if goal.metric == HEADLINE else goal.metric
    gathered = gather(data, settings, adapter, (metric, goal.value) if goal.value else None, goal.slice)
    hashes = fingerprints(settings, data / "prepared")
    pages = {
        "report.md": markdown(gathered),
        "report.html": html(gathered),
        "model_card.md": model_card(gathered, settings, read_data_card(raw / "README.md"), hashes),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        part = folder / f"{name}.part"
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(folder / name)
    say(f"report: {folder / 'report.html'}, beside it report.md and model_card.md")
    return {}


if __name__ == "__main__":
    main()
