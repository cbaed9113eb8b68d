"""From the files of a run to what a person reads: one value gathered once, drawn as Markdown and as a page."""
