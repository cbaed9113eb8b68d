"""The report as one page that holds all it needs: no font, no image, nothing fetched; its script only filters."""

import base64
import hashlib
from pathlib import Path

from tasks.reporting import wording
from tasks.reporting.charts import charts
from tasks.reporting.confusion import matrix, mixups
from tasks.reporting.gather import Report

HERE = Path(__file__).parent
COLOURS = 8  # of page.css: --type-0 and so on, told apart by colour-blind eyes too
MOST_ENTRIES = 12  # of what costs most
MOST_SLICES = 10  # of one dimension
MOST_MIXUPS = 10
MOST_SUSPECTS = 50
MOST_REFUSED = 200


def html(report: Report) -> str:
    """report.html: the template with the report in it; every text is escaped, and no script but its own may run."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in ("score", "gain", "confidence", "count", "percent", "several", "sentence", "spoken"):
        environment.filters[name] = getattr(wording, name)
    script = (HERE / "page.js").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        report=report,
        charts=charts(report),
        colour={label: index % COLOURS for index, label in enumerate(report.types)},
        slice_index={pair: index for index, pair in enumerate(report.mistakes.slices)},
        matrix=matrix(report.confusion),
        mixups=mixups(report.confusion)[:MOST_MIXUPS],
        most_entries=MOST_ENTRIES,
        most_slices=MOST_SLICES,
        most_suspects=MOST_SUSPECTS,
        most_refused=MOST_REFUSED,
        script=script,
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
