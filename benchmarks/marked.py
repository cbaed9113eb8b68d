"""Pages of the docs in which outputs stand between marks."""

import re


def put(page: str, name: str, output: str) -> str:
    """The page with ``output`` as a block between ``<!-- NAME -->`` and the next ``<!-- end -->``.

    Raises:
        ValueError: it has no such mark.
    """
    mark = f"<!-- {name} -->"
    if mark not in page:
        raise ValueError(f"the page has no {mark}")
    text = f"{mark}\n```\n{output.rstrip()}\n```\n<!-- end -->"
    return re.sub(re.escape(mark) + r".*?<!-- end -->", text.replace("\\", r"\\"), page, count=1, flags=re.S)
