"""Stage report: what a person reads, report.md and one self-contained report.html."""

from pathlib import Path
from typing import Any

from tasks import adapters, params
from tasks.reporting.gather import gather
from tasks.reporting.html import html
from tasks.reporting.markdown import markdown
from tasks.stage import argument_parser, run_stage, say


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the stages' files")
    parser.add_argument("--report", type=Path, required=True, help="folder of the report, written")
    parser.add_argument("--cost", type=Path, required=True, help="JSON of time and memory, written; not an out")
    paths = parser.parse_args()

    def work() -> dict[str, Any]:
        return report(params.load(Path("params.yaml")), paths.data, paths.report)

    run_stage("report", work, paths.cost)


def report(settings: params.Params, data: Path, folder: Path) -> dict[str, Any]:
    """Write report.md and report.html into ``folder`` from the files of the other stages in ``data``.

    Both are stable to the byte: the same files and params give the same report.

    Raises:
        UserError: a file is missing, broken, or does not belong to the others.
    """
    gathered = gather(data, settings, adapters.find(settings.task))
    pages = {"report.md": markdown(gathered), "report.html": html(gathered)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        part = folder / f"{name}.part"
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(folder / name)
    say(f"report: {folder / 'report.html'} and {folder / 'report.md'}")
    return {}


if __name__ == "__main__":
    main()
