"""Figures with intervals and tables, as `hone score` prints them."""

from typing import Any


def with_interval(values: dict[str, Any], key: str) -> str:
    """A figure with its 95 % interval in brackets."""
    return f"{values[key]:.4f} [{values[f'{key}_low']:.4f}, {values[f'{key}_high']:.4f}]"


def table(names: list[str], rows: list[list[str]], *, markdown: bool) -> list[str]:
    """Lines of a table, in columns of equal width or in Markdown."""
    if markdown:
        cells = [names, ["---"] * len(names), *rows]
        return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    widths = [max(len(row[column]) for row in (names, *rows)) for column in range(len(names))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (names, *rows)
    ]
