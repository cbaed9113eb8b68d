import itertools
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.models import load_tokenizer
from tasks.text_windows import cover, cut, frame


@pytest.mark.parametrize(
    ("count", "room", "overlap"), [(0, 4, 1), (3, 4, 1), (4, 4, 1), (5, 4, 1), (23, 5, 4), (23, 5, 0)]
)
def test_windows_cover_every_subword_and_share_the_overlap(count: int, room: int, overlap: int) -> None:
    ranges = list(cover(count, room, overlap))
    assert sorted({place for start, end in ranges for place in range(start, end)}) == list(range(count))
    assert all(end - start <= room for start, end in ranges)
    assert all(before[1] - after[0] == overlap for before, after in itertools.pairwise(ranges))


@pytest.mark.parametrize("folder", ["bert_folder", "roberta_folder"])
def test_offsets_are_characters_of_the_text(folder: str, request: pytest.FixtureRequest) -> None:
    tokenizer = load_tokenizer(str(request.getfixturevalue(folder)), {})
    text = "Angela Merkel, visited\nToyota"
    (pieces,) = cut([text], tokenizer)
    assert len(pieces.ids) == len(pieces.offsets) > 0
    assert "".join(text[start:end] for start, end in pieces.offsets).replace(" ", "").replace("\n", "") == "".join(
        text.split()
    )


def test_an_overlap_as_large_as_the_window_is_refused(bert_folder: Path) -> None:
    with pytest.raises(UserError, match=r"window_overlap: 14 leaves no room in windows of 16 .* write 0 to 13"):
        frame(load_tokenizer(str(bert_folder), {}), 16, 14)
