"""The story of a case: why the winner's networks call it as they do, as facts and as sentences."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.special import expit

from handnet.bands import Band
from handnet.data import Array, Dataset
from handnet.explain import Explanation, FamilyCredit
from handnet.judge import Question
from handnet.report.case_words import CaseWords
from handnet.report.explainer import Explainer
from handnet.report.words import part_name
from handnet.study.quantity import band_facts

NAMED = 3  # families a sentence lists before it counts the rest


def story(explainer: Explainer, words: CaseWords, row: int, record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of `missed` with its sentence, the credits behind it, and its neighbours.

    row: of the table.
    """
    data, explanation = explainer.data, explainer.explanation(row)
    question, outside = explanation.question, explainer.outside(row, explanation.question)
    credits = sorted(explanation.credits, key=lambda credit: -abs(credit.seeds.centre("mean")))
    trusted = [credit.family for credit in explanation.credits if explanation.over_trusted(credit)]
    found = {
        "credited": question.credited,
        "instead": None if question.instead is None else data.class_names[question.instead],
        "towards": question.towards,
        "start": _end(explanation.start, question),
        "own": _end(explanation.own, question),
        "named": list(explanation.named),
        "doubted": list(explanation.doubted),
        "over_trusted": trusted,
        "wrong": explanation.wrong,
        "flipped": explanation.flipped,
        "credits": [_credit(credit) for credit in credits],
        "outside": outside._asdict(),
        "neighbours": [
            {"case": str(data.case_ids[other]), **truth_of(data, other)}
            for other in explainer.neighbours(row)
        ],
    }
    told = _Told(words, {**record, **found}, explanation, explainer.parts.train.y)
    return {**record, "sentence": told.sentence(), **found}


def truth_of(data: Dataset, row: int) -> dict[str, Any]:
    """The class of a row of the table by its name, or its target."""
    truth = data.y[row]
    return {"class": data.class_names[int(truth)]} if data.class_names else {"target": float(truth)}


def _end(band: Band, question: Question) -> dict[str, Any]:
    """One end of the credits as plain JSON values, of a logit with the probability of its mean."""
    facts: dict[str, Any] = {question.credited: band_facts(band)}
    return facts | (
        {"probability": float(expit(band.centre("mean")))} if question.credited == "logit" else {}
    )


def _credit(credit: FamilyCredit) -> dict[str, Any]:
    """A family's credit as plain JSON values."""
    return {
        "family": credit.family,
        "seeds": band_facts(credit.seeds),
        "splits": band_facts(credit.splits) if credit.splits else None,
        "clear": credit.clear,
        "nearest": credit.nearest,
        "agrees": credit.agrees,
        "flipped": credit.flipped,
    }


@dataclass(frozen=True)
class _Told:
    """All that the sentences about one case are made of. truths: (n,) of all train cases."""

    words: CaseWords
    story: Mapping[str, Any]
    explanation: Explanation
    truths: Array

    def sentence(self) -> str:
        """The story of the case."""
        one = self.story
        truth = f"{self.words.said(one)}, {part_name(one['part'])}"
        sentences = [f"Case #{one['case']} ({truth}): {self.words.summary(one)}."]
        if self.explanation.wrong:
            sentences += [self._carried(), self._checked(), self._path()]
        elif one["misses"]:
            n = self.explanation.own.n
            sentences.append(f"What carried it is not told: none of the {n} seeds fitted again misses it.")
        sentences.append(self._neighbourhood())
        return " ".join(sentence for sentence in sentences if sentence)

    def _path(self) -> str:
        """Where the credits start and where they end, and how many hybrids between are no likely case."""
        ends = [
            self.words.end(mean, f"{mean:.2f}")
            for mean in (end.centre("mean") for end in (self.explanation.start, self.explanation.own))
        ]
        text = f"The credits lead from {self.words.start(self.story)}, {ends[0]}, to {ends[1]}"
        n, edge, beyond = (self.story["outside"][name] for name in ("hybrids", "edge", "all"))
        if not n:
            return f"{text}."
        share = (
            f"{edge:.0%} of the {n} hybrids between the two lie" if edge else f"none of the {n} hybrids lies"
        )
        farthest = f", and {beyond:.0%} than all of them" if beyond else ""
        return f"{text}; {share} farther out than 95% of the train cases{farthest}."

    def _carried(self) -> str:
        """What carried the case to the wrong call, or pulled it there without turning the call."""
        found, direction = self.explanation, self.words.direction(self.story)
        if all(credit.splits is None for credit in found.credits):
            return "What carried it is not told: fewer than two fresh divisions held it out of training."
        if not found.named:
            return f"No family is shown to pull it {direction} over seeds, splits and in the check."
        them = "that" if len(found.named) == 1 else "these"
        moved = f"Carried {self.words.there(self.story)}" if found.turned else f"Pulled {direction}"
        text = (
            f"{moved} by {_listed(found.named)}; with {them} at the mean of"
            f" {self.words.starts(self.story)} {found.flipped} of {self._wrong()}"
            f" {self.words.puts_right}."
        )
        trusted = [credit for credit in found.credits if found.over_trusted(credit)]
        if not trusted:
            return text
        trusted.sort(key=lambda credit: -credit.flipped)
        turning = _listed(f"{credit.family} ({self.words.alone} {credit.flipped})" for credit in trusted)
        return f"{text} Over-trusted: {turning}."

    def _wrong(self) -> str:
        """The seeds that are wrong, of those that the explanation is of."""
        explained, wrong = self.explanation.own.n, self.explanation.wrong
        if explained == self.story["seeds"]:
            return f"those {wrong} seeds"
        return f"the {wrong} of them among the {explained} seeds that were fitted again"

    def _checked(self) -> str:
        """Which families are not named because credits from train rows that resemble the case disagree."""
        doubted = self.explanation.doubted
        if not doubted:
            return ""
        return (
            f"Measured from {self.words.starts(self.story)} that resemble it most, the sign is another"
            f" for {_listed(doubted)}, not named for that reason."
        )

    def _neighbourhood(self) -> str:
        """What the nearest train cases are, beside all of them: a count, or a mean, that explains nothing.

        Where families are named and turn few calls, that is said too.
        """
        text, found = self.words.neighbourhood(self.story, self.truths), self.explanation
        if found.wrong and found.named and not found.turned:
            they = "family named does" if len(found.named) == 1 else "families named do"
            return f"The {they} not {self.words.turn} most of these seeds. {text}"
        return text


def _listed(words: Iterable[str]) -> str:
    """The first few words, and how many more there are; between semicolons where a word has a comma."""
    names = list(words)
    shown, rest = names[:NAMED], len(names) - NAMED
    shown += [f"{rest} more"] if rest > 0 else []
    if len(shown) == 1:
        return shown[0]
    comma, last = ("; ", "; and ") if any("," in name for name in shown) else (", ", " and ")
    return f"{comma.join(shown[:-1])}{last}{shown[-1]}"
