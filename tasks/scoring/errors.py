"""The kinds of entity errors: every gold and every predicted entity is right or in exactly one error.

An entity is right when the other side has the same words and type. The others are put into errors by the words that
they share, so that one slip of a boundary is one error and not a missed and a spurious entity:

1. Entities of the two sides that share a word are linked.
2. Where two linked entities both have other links too, the link over the fewest words is taken away (first one between
   different types, then the leftmost), until no such pair is left. No entity loses its last link by that.
3. What hangs together is one error. Its kind:

   ==================  =============================================================================================
   missed              gold without link
   spurious            predicted without link
   wrong type          same words, other type
   boundary too long   same type; the predicted one covers all words of the gold one and more
   boundary too short  same type; the gold one covers all words of the predicted one and more
   boundary shifted    same type; each has words that the other has not
   boundary and type   other words and other type
   split               one gold entity, several predicted ones
   merged              several gold entities, one predicted one
   ==================  =============================================================================================

After such an error is mended its gold entities are predicted and its predicted ones are gone: with g gold and p
predicted entities, right grows by g and predicted by g - p.
"""

from collections.abc import Sequence

from tasks.records import Prediction
from tasks.scoring.cases import RIGHT, Case, Place
from tasks.scoring.selection import strict_spans

MISSED, SPURIOUS, WRONG_TYPE, BOUNDARY_AND_TYPE = "missed", "spurious", "wrong type", "boundary and type"
TOO_LONG, TOO_SHORT, SHIFTED = "boundary too long", "boundary too short", "boundary shifted"
SPLIT, MERGED = "split", "merged"
KINDS = (MISSED, SPURIOUS, WRONG_TYPE, TOO_LONG, TOO_SHORT, SHIFTED, BOUNDARY_AND_TYPE, SPLIT, MERGED)

Error = tuple[tuple[Place, ...], tuple[Place, ...]]  # gold entities, predicted entities


def cases(predictions: Sequence[Prediction]) -> list[Case]:
    """The right entities and the errors of each prediction, from left to right; strict IOB2 as in the headline.

    ``counts`` and ``if_right`` are (right, predicted, gold), as `tasks.scoring.entities.HEADLINE` has them.
    """
    found = []
    for item, prediction in enumerate(predictions):
        gold, predicted = strict_spans(prediction.gold), strict_spans(prediction.predicted)
        right = gold & predicted
        here = [Case(item, RIGHT, (span,), (span,), (1, 1, 1), (1, 1, 1)) for span in right]
        for error in pair(sorted(gold - right), sorted(predicted - right)):
            g, p = len(error[0]), len(error[1])
            here.append(Case(item, kind(error), *error, (0, p, g), (g, g, g)))
        found += sorted(here, key=lambda case: case.place)
    return found


def pair(gold: Sequence[Place], predicted: Sequence[Place]) -> list[Error]:
    """Put entities into errors by the rule above; each is in exactly one.

    Args:
        gold: entities of one sentence that do not overlap each other, none of them right.
        predicted: likewise.
    """
    links = {(g, p): shared for g in gold for p in predicted if (shared := min(g[1], p[1]) - max(g[0], p[0])) > 0}
    while crossing := [link for link in links if all(_degree(links, end) > 1 for end in link)]:
        del links[min(crossing, key=lambda link: (links[link], link[0][2] == link[1][2], link))]
    errors: list[Error] = []
    for g in gold:
        mine = tuple(p for other, p in links if other == g)
        if len(mine) != 1 or _degree(links, mine[0]) == 1:
            errors.append(((g,), mine))
    for p in predicted:
        mine = tuple(g for g, other in links if other == p)
        if len(mine) != 1:
            errors.append((mine, (p,)))
    return errors


def _degree(links: dict[tuple[Place, Place], int], end: Place) -> int:
    return sum(end in link for link in links)


def kind(error: Error) -> str:
    """The kind of an error, one of KINDS."""
    gold, predicted = error
    if not predicted:
        return MISSED
    if not gold:
        return SPURIOUS
    if len(predicted) > 1:
        return SPLIT
    if len(gold) > 1:
        return MERGED
    (start, end, type_), (first, last, predicted_type) = gold[0], predicted[0]
    if (start, end) == (first, last):
        return WRONG_TYPE
    if type_ != predicted_type:
        return BOUNDARY_AND_TYPE
    if first <= start and end <= last:
        return TOO_LONG
    if start <= first and last <= end:
        return TOO_SHORT
    return SHIFTED
