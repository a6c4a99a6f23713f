"""Claims about the division itself: the four protocols that the chapter's text leaves open, and its split
seed among others."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from experiments.claims.bands import Design, mean_band, mean_text, mean_within, seed_means, share_within
from experiments.claims.claim import Claim, Part, Region
from experiments.published.rows import PROTOCOLS, Protocol
from handnet.bands import Band, split_bands
from handnet.data import Array

SAME = Region(-0.01, 0.01)  # one case of 114 is 0.9 points
CONTRASTS = (
    (
        "stratified less not",
        (1, 1, -1, -1),
        0.016,
    ),  # signs in the order of PROTOCOLS; the deviation of 20 pilot divisions
    ("test first less rest first", (1, -1, 1, -1), 0.010),
    ("what stratifying does, test first less rest first", (1, -1, -1, 1), 0.010),
)


def protocols_agree(
    accuracy: Mapping[Protocol, Array], positives: Mapping[Protocol, Array], sizes: str, ratio: float
) -> Claim:
    """However the table was divided, accuracy is the same. accuracy (K, R), positives (K, parts), of each
    protocol.

    ratio 0 asks about other divisions of this very table: given the table they are independent, and more of
    them tell more. n_test / (n - n_test) asks about other tables, of which there is one, however often it is
    divided."""
    means = np.stack([seed_means(accuracy[protocol]) for protocol in PROTOCOLS])
    parts = tuple(_contrast(what, np.array(signs) @ means / 2, sd, ratio) for what, signs, sd in CONTRASTS)
    where = "other tables of this kind" if ratio else "this table"
    each = "; ".join(
        f"{_name(protocol)} {mean_text(seed_means(accuracy[protocol]), ratio)}" for protocol in PROTOCOLS
    )
    return Claim(
        f"However the rows are divided, the accuracy is the same: {where}",
        "(The chapter names a random_state and 341 study patients, and "
        "does not say how it divided the table.)",
        "Its text leaves four ways open: stratified by class or not; test set aside first and validation"
        f" from the rest, or both together and then halved. Part sizes are {sizes} in each. The same number"
        " of divisions each way; the same means within a point. "
        + (
            "Nadeau and Bengio's band, which takes the divisions for one sample of patients."
            if ratio
            else "Given the table, divisions are independent, and the band is Student's."
        ),
        parts,
        f"Mean accuracy by protocol: {each}."
        + (" More divisions would not narrow these bands: there is one table." if ratio else ""),
        () if ratio else _each(accuracy, positives),
    )


def _each(
    accuracy: Mapping[Protocol, Array], positives: Mapping[Protocol, Array]
) -> tuple[tuple[str, Band], ...]:
    """Each protocol by itself: what one network gives, and how many malignant cases its parts get."""
    bands = [
        (f"accuracy of one network, {_name(protocol)}", split_bands(accuracy[protocol][:, 0]).quantiles)
        for protocol in PROTOCOLS
    ]
    for protocol in PROTOCOLS:
        for part, counts in zip(("train", "test"), positives[protocol].T, strict=True):
            bands.append((f"malignant among {part} cases, {_name(protocol)}", split_bands(counts).extremes))
    return tuple(bands)


def _contrast(what: str, values: Array, sd: float, ratio: float) -> Part:
    part = mean_within(f"accuracy, {what}", values, SAME, Design(0.0, sd, len(CONTRASTS)), ratio)
    return replace(part, band=replace(part.band, varied="splits"))


def _name(protocol: Protocol) -> str:
    stratify, order = protocol
    return f"{'stratified' if stratify else 'not stratified'}, {order.replace('-', ' ')}"


LUCKY = Region(low=0.95)


def lucky(what: str, own: Array, others: Array, sign: int) -> Claim:
    """The study's split seed is luckier than nineteen of twenty others. own (R,), others (K, R); sign: 1
    where more is better, -1 where less is. A network that diverged silences its division."""
    ours, theirs = sign * own.mean(), sign * seed_means(others)
    worse = np.where(np.isfinite(theirs - ours), (np.sign(ours - theirs) + 1) / 2, np.nan)  # a tie is half
    p = (1 + np.sum(theirs >= ours)) / (1 + len(theirs))
    return Claim(
        f"Seed 42 is a lucky split: {what}",
        "I left the random_state at 42 throughout so you can reproduce my exact numbers.",
        f"The chapter's recipe with {own.size} seeds on the division of split seed 42, and on those of"
        f" {len(theirs)} other split seeds of all rows. Lucky means better, in the mean over seeds, than"
        " nineteen of twenty others. Power is for a seed better than 99 in 100; an ordinary one is found out"
        " for certain.",
        (share_within(f"share of other split seeds whose {what} is worse", worse, LUCKY, Design(0.99)),),
        f"Seed 42 has {mean_text(own)}, the others {mean_text(sign * theirs)} in the mean;"
        f" {np.nanmean(worse):.0%} of them are worse. That an exchangeable seed is at least so good has p"
        f" = {p:.2g} (rank among all {1 + len(theirs)}).",
        (
            (f"{what} on seed 42, over seeds", mean_band(own)),
            (f"{what} of one network, another split seed", split_bands(others[:, 0]).quantiles),
        ),
    )
