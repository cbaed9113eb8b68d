"""What sacrebleu says of how its figures were made, so that others can make them too."""

from collections.abc import Sequence
from typing import Literal

from tasks.records import Prediction
from tasks.scoring.selection import IDEOGRAPHS, ORDER


def signatures(predictions: Sequence[Prediction], case: Literal["mixed", "lc"]) -> dict[str, str]:
    """Of BLEU and chrF, as sacrebleu writes them; of two tokenizers both, and of several numbers of references ``var``.

    Args:
        predictions: gold is a list of references.
        case: ``lc`` where upper and lower case are alike.
    """
    import sacrebleu

    wide = [any(map(IDEOGRAPHS.search, one.gold)) for one in predictions]
    names = [name for name, there in (("13a", not all(wide)), ("zh", any(wide))) if there]
    numbers = {len(one.gold) for one in predictions}
    references = f"nrefs:{numbers.pop() if len(numbers) == 1 else 'var'}|case:{case}"
    end = f"version:{sacrebleu.__version__}"
    return {
        "bleu": f"{references}|eff:no|tok:{'+'.join(names) or '13a'}|smooth:exp|{end}",
        "chrf": f"{references}|eff:yes|nc:{ORDER}|nw:0|space:no|{end}",
    }
