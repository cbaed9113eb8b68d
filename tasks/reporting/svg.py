"""A matplotlib figure as inline SVG: stable to the byte, coloured by the page, readable without sight."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import matplotlib
import matplotlib.style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 4.7  # inches, of which one is 72 units of the drawing: about the width of a phone

# Colours that stand in for those of the page, so that light and dark are chosen there.
TEXT, GRID, FIRST, SECOND = "#010203", "#010204", "#010205", "#010206"
PAGE_COLOURS = {TEXT: "currentColor", GRID: "var(--line)", FIRST: "var(--first)", SECOND: "var(--second)"}

SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hone",
    "text.parse_math": False,  # a label may hold a $
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that the layout is the same everywhere
    "font.size": 10.5,
    "axes.edgecolor": GRID,
    "axes.labelcolor": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": TEXT,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
}


def canvas(height: float) -> "tuple[Figure, Axes]":
    """An empty chart of ``height`` inches."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


@contextmanager
def drawing() -> Iterator[None]:
    """Within, figures look the same whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", SETTINGS]), warnings.catch_warnings():
        # The browser draws the text with its own fonts; matplotlib only measures it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def inline_svg(figure: "Figure", name: str, title: str, description: str) -> str:
    """The figure as an ``<svg>`` that fits any width; call it within `drawing`.

    Args:
        name: prefix of every id in it, unique within the page.
        title: what is drawn, as a screen reader announces it.
        description: what it shows, with the figures that matter.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    root = ElementTree.fromstring(file.getvalue())
    used = {value[1:] for element in root.iter() for key, value in element.items() if key.endswith("}href")}
    used |= {part.split(")")[0] for e in root.iter() for v in e.attrib.values() for part in v.split("url(#")[1:]}
    body = "".join(_markup(child, name, used) for child in root)
    opening = (
        f'<svg class="chart" role="img" aria-label={quoteattr(f"{title}. {description}")} '
        f'viewBox="{root.get("viewBox")}">'
    )
    return f"{opening}\n<title>{escape(title)}</title>\n<desc>{escape(description)}</desc>\n{body}</svg>"


def _markup(element: ElementTree.Element, name: str, used: set[str]) -> str:
    """The element as HTML writes SVG: no namespaces, only the ids that something points to, colours of the page."""
    tag = element.tag.rpartition("}")[2]
    if tag in ("metadata", "style"):
        return ""
    attributes = []
    for key, value in element.items():
        if key == "id":
            if value not in used:
                continue
            value = f"{name}-{value}"
        value = value.replace("url(#", f"url(#{name}-")
        if key.endswith("}href"):
            key, value = "href", f"#{name}-{value[1:]}"
        for stand_in, colour in PAGE_COLOURS.items():
            value = value.replace(stand_in, colour)
        if tag == "text" and key == "style":
            value = "; ".join(part for part in value.split("; ") if not part.startswith("font:"))
            size = element.get("style", "").partition("font: ")[2].partition("px")[0]
            value = "; ".join(filter(None, (f"font-size: {size}px" if size else "", value)))
        attributes.append(f" {key}={quoteattr(value)}")
    text = escape((element.text or "").strip())
    inner = text + "".join(_markup(child, name, used) for child in element)
    if tag == "g" and not inner.strip():
        return ""
    return f"<{tag}{''.join(attributes)}>{inner}</{tag}>\n"
