"""The figure on validation by which the best epoch is chosen: a function of the name of each adapter's headline.

finetune imports no other scoring, so that a change elsewhere does not train anything anew.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PUNCTUATION = frozenset(string.punctuation)
ARTICLES = re.compile(r"\b(a|an|the)\b")
FOREIGN = 50  # one letter of so many beyond a to z makes a text one that is not English
ORDER = 6  # longest run of characters that chrF counts
IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def entity_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Micro F1 over entities, between 0 and 1: strict IOB2 as seqeval defines it; 0 where nothing is right.

    An entity counts when its first word, last word and type are right and it starts with B-.

    Args:
        gold: IOB2 tags of each sentence.
        predicted: same shape.
    """
    right = in_gold = in_predicted = 0
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        gold_spans, predicted_spans = strict_spans(gold_tags), strict_spans(predicted_tags)
        in_gold += len(gold_spans)
        in_predicted += len(predicted_spans)
        right += len(gold_spans & predicted_spans)
    return 2 * right / (in_gold + in_predicted) if right else 0.0


def macro_f1(gold: Sequence[str | Sequence[str]], predicted: Sequence[str | Sequence[str]]) -> float:
    """Mean F1 of the classes that gold has, between 0 and 1; each text has one class or a list of them.

    A class that is only predicted makes the precision of none worse, but lacks where it stands instead of another.
    """
    right, in_gold, in_predicted = Counter[str](), Counter[str](), Counter[str]()
    for one, other in zip(gold, predicted, strict=True):
        wanted, given = label_set(one), label_set(other)
        in_gold.update(wanted)
        in_predicted.update(given)
        right.update(wanted & given)
    return sum(2 * right[name] / (in_gold[name] + in_predicted[name]) for name in in_gold) / max(len(in_gold), 1)


def label_set(labels: str | Sequence[str]) -> set[str]:
    """One label or several as a set."""
    return {labels} if isinstance(labels, str) else set(labels)


Answers = Sequence[Mapping[str, Any]]  # each with its ``text``; none where a question has no answer


def answer_f1(gold: Sequence[Answers], predicted: Sequence[Answers]) -> float:
    """Mean over the questions of the best overlap with a gold answer, between 0 and 1 (tasks/scoring/answers.py)."""
    figures = [best_overlap(texts(one), texts(other))[2] for one, other in zip(gold, predicted, strict=True)]
    return sum(figures) / max(len(figures), 1)


def texts(answers: Answers) -> list[str]:
    """The texts of answers, ``""`` where there is none."""
    return [str(one["text"]) for one in answers] or [""]


def best_overlap(gold: Sequence[str], predicted: Sequence[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of the tokens of the first predicted text, against the gold one where F1 is largest."""
    given = answer_tokens(predicted[0])
    return max((overlap(answer_tokens(text), given) for text in gold), key=lambda figures: figures[2])


def overlap(gold: Sequence[str], predicted: Sequence[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of one bag of tokens against another; 1 where both are empty, 0 where one is."""
    if not gold or not predicted:
        same = float(bool(gold) == bool(predicted))
        return same, same, same
    shared = sum((Counter(gold) & Counter(predicted)).values())
    return shared / len(predicted), shared / len(gold), 2 * shared / (len(gold) + len(predicted))


def answer_tokens(text: str) -> list[str]:
    """Tokens of an answer that are compared: SQuAD's, and for Chinese and Japanese single characters.

    As the official script of SQuAD 1.1 and 2.0 has them: lower case, without ASCII punctuation, without a, an and the,
    apart by white space. In a text with Chinese characters or kana all punctuation goes and each such character is a
    token of its own (the mixed segmentation of CMRC 2018 and MLQA).
    """
    text = text.lower()
    if IDEOGRAPHS.search(text):
        kept = (" " if unicodedata.category(one)[0] in "PS" else one for one in text)
        return IDEOGRAPHS.sub(r" \g<0> ", "".join(kept)).split()
    return ARTICLES.sub(" ", "".join(one for one in text if one not in PUNCTUATION)).split()


def bleu(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Corpus BLEU of the first predicted texts, between 0 and 1 (tasks/scoring/translation.py)."""
    import numpy as np

    rows = bleu_counts(gold, predicted)
    return float(bleu_of(np.array(rows, np.float64).sum(axis=0))) if rows else 0.0


def bleu_counts(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, lowercase: bool = False
) -> list[list[int]]:
    """What BLEU is made of, for each text: n-grams in common by length, n-grams, its length and the reference's.

    By sacrebleu: its tokenizer 13a, and zh where a reference holds Chinese characters or kana; the nearest reference's
    length.
    """
    from sacrebleu.metrics.bleu import BLEU

    western, ideographic = (BLEU(tokenize=name, effective_order=True, lowercase=lowercase) for name in ("13a", "zh"))
    rows = []
    for references, given in zip(gold, predicted, strict=True):
        metric = ideographic if any(map(IDEOGRAPHS.search, references)) else western
        found = metric.sentence_score(given[0], list(references))
        rows.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
    return rows


def bleu_of(sums: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """BLEU between 0 and 1 from summed `bleu_counts`, (..., 10) to (...).

    Papineni et al. 2002, smoothed as sacrebleu does (Post 2018, "exp"): an n that has no n-gram in common counts as
    half of one, the next such n as a quarter, and so on.
    """
    import numpy as np

    right, total = sums[..., :4], sums[..., 4:8]
    written, wanted = sums[..., 8], sums[..., 9]
    none = (right == 0) & (total > 0)
    smoothed = np.where(none, 0.5 ** np.cumsum(none, axis=-1), right)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(total > 0, smoothed / total, 0)).sum(axis=-1) / 4
        brevity = np.where(written < wanted, np.exp(1 - wanted / written), 1.0)
    result: NDArray[np.float64] = np.where(right.sum(axis=-1) > 0, brevity * np.exp(logs), 0.0)
    return result


def chrf(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Corpus chrF of the first predicted texts, upper and lower case alike (tasks/scoring/dialogue_generation.py)."""
    import numpy as np

    rows = chrf_counts(gold, predicted, lowercase=True)
    return float(chrf_of(np.array(rows, np.float64).sum(axis=0))) if rows else 0.0


def chrf_counts(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, lowercase: bool = False
) -> list[list[int]]:
    """Runs of 1 to ORDER characters of each text, of its best reference, and in common, (n, 3 ORDER), by sacrebleu."""
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF(lowercase=lowercase)
    return [
        metric._compute_segment_statistics(
            metric._preprocess_segment(given[0]),
            metric._extract_reference_info([metric._preprocess_segment(text) for text in references]),
        )
        for references, given in zip(gold, predicted, strict=True)
    ]


def chrf_of(sums: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """chrF between 0 and 1 from summed `chrf_counts`, (..., 3 ORDER) to (...).

    Popović 2015, with beta 2: F of the mean precision and the mean recall over the lengths that both sides have.
    """
    import numpy as np

    given, wanted, shared = np.moveaxis(sums.reshape(*sums.shape[:-1], ORDER, 3), -1, 0)
    there = (given > 0) & (wanted > 0)
    lengths = np.maximum(there.sum(axis=-1), 1)
    precision = np.divide(shared, given, out=np.zeros_like(shared), where=there).sum(axis=-1) / lengths
    recall = np.divide(shared, wanted, out=np.zeros_like(shared), where=there).sum(axis=-1) / lengths
    below = 4 * precision + recall
    result: NDArray[np.float64] = np.divide(5 * precision * recall, below, out=np.zeros_like(below), where=below > 0)
    return result


def rouge_l(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Mean over the texts of ROUGE-L against the nearest reference, 0 to 1 (tasks/scoring/summarization.py)."""
    best = [max(row[2] for row in table) for table in rouge(gold, predicted)]
    return sum(best) / max(len(best), 1)


def rouge_l_mean(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """The same with the mean over the references of a text (tasks/scoring/summarization_mean.py)."""
    means = [sum(row[2] for row in table) / len(table) for table in rouge(gold, predicted)]
    return sum(means) / max(len(means), 1)


def rouge(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> list[list[list[float]]]:
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) of each text against each of its references.

    By the rouge-score package. Its own tokens, stemmed, are letters a to z and digits; where more than one in FOREIGN
    letters of the references is another one, tokens are words of any script, and Chinese characters and kana one by
    one, none stemmed.
    """
    from rouge_score.rouge_scorer import RougeScorer

    names = ["rouge1", "rouge2", "rougeL"]
    english, other = RougeScorer(names, use_stemmer=True), RougeScorer(names, tokenizer=AnyScript())
    tables = []
    for references, given in zip(gold, predicted, strict=True):
        letters = [sign for text in references for sign in text if sign.isalpha()]
        foreign = sum(not sign.isascii() for sign in letters)
        scorer = other if foreign * FOREIGN > len(letters) else english
        found = [scorer.score(text, given[0]) for text in references]
        tables.append([[row[name].fmeasure for name in names] for row in found])
    return tables


class AnyScript:
    """Words of any script in lower case; Chinese characters and kana one by one."""

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text."""
        return re.findall(r"\w+", IDEOGRAPHS.sub(r" \g<0> ", text.lower()))


def recall_at_1(gold: Sequence[Mapping[str, Any]], predicted: Sequence[Mapping[str, Any]]) -> float:
    """Share of histories whose first-ranked candidate is their own response (its ``text``), between 0 and 1."""
    right = sum(bool(one["text"] == other["text"]) for one, other in zip(gold, predicted, strict=True))
    return right / max(len(gold), 1)


NO_RELATION = ("other", "no_relation", "none", "na", "n/a")  # names of the label of no relation, in lower case


def relation_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Mean F1 of the relations of gold, between 0 and 1: the direction counts, no relation is none of them."""
    right, in_gold, in_predicted = Counter[str](), Counter[str](), Counter[str]()
    for one, other in zip(gold, predicted, strict=True):
        wanted, given = undirected(one), undirected(other)
        if wanted is not None:
            in_gold[wanted] += 1
            right[wanted] += one == other
        if given is not None:
            in_predicted[given] += 1
    return sum(2 * right[name] / (in_gold[name] + in_predicted[name]) for name in in_gold) / max(len(in_gold), 1)


def undirected(label: str) -> str | None:
    """The name of a relation without its direction, None for no relation."""
    name = label.removesuffix("(e1,e2)").removesuffix("(e2,e1)")
    return None if name.lower() in NO_RELATION else name


def strict_spans(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """Entities as (first word, last word + 1, type); I- without a fitting B- or I- before it starts none."""
    spans = set()
    start, label = -1, ""
    for index, tag in enumerate((*tags, "O")):
        if label and tag != f"I-{label}":
            spans.add((start, index, label))
            label = ""
        if tag.startswith("B-"):
            start, label = index, tag[2:]
    return spans
