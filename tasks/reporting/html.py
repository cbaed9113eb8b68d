"""The report as one page that holds all it needs: no script, no font, nothing fetched."""

from pathlib import Path

from tasks.reporting import wording
from tasks.reporting.charts import charts
from tasks.reporting.confusion import matrix, mixups
from tasks.reporting.gather import Report

HERE = Path(__file__).parent
COLOURS = 8  # of page.css: --type-0 and so on, told apart by colour-blind eyes too
MOST_MIXUPS = 10
MOST_REFUSED = 200


def html(report: Report) -> str:
    """report.html: the template with the report in it; every text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in ("score", "confidence", "count", "percent", "several"):
        environment.filters[name] = getattr(wording, name)
    return environment.get_template("page.html").render(
        report=report,
        charts=charts(report),
        colour={label: index % COLOURS for index, label in enumerate(report.types)},
        matrix=matrix(report.confusion),
        mixups=mixups(report.confusion)[:MOST_MIXUPS],
        most_refused=MOST_REFUSED,
    )
