"""Tables of predictions that cannot be judged, as data: what is given, with which options, and what the one
sentence must say. tests/test_predictions_table.py runs them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Row = dict[str, object]
Y = {"c1": 0, "c2": 1, "c3": 1, "c4": 0, "c5": 1, "c6": 0}  # the truth of each case
THREE = dict(zip(Y, "abcabc", strict=True))
NUMBER = dict(zip(Y, (1.5, 2.0, 4.5, 3.0, 7.25, 6.0), strict=True))


class Bad(NamedTuple):
    """A table that is refused. text: of the CSV file; options: of Columns; says: parts of the sentence."""

    what: str
    text: str
    says: Sequence[str]
    options: Mapping[str, object] = {}


def rows(truth: Mapping[str, object] = Y, kind: str = "p", seeds: Sequence[object] = (1, 2)) -> list[Row]:
    """A sound long table: two models, some seeds, six cases."""
    return [
        {
            "model": model,
            "seed": seed,
            "case": case,
            "y": truth[case],
            kind: _said(kind, m, s, c, truth[case]),
        }
        for m, model in enumerate(("net", "trees"))
        for s, seed in enumerate(seeds)
        for c, case in enumerate(Y)
    ]


def _said(kind: str, model: int, seed: int, case: int, truth: object) -> object:
    """A prediction that differs between models, seeds and cases."""
    p = (1 + (7 * model + 3 * seed + 5 * case) % 19) / 20
    return {"p": p, "logit": round(4 * p - 2, 3), "yhat": round(8 * p, 3), "label": truth}[kind]


def of_three(**more: str) -> list[Row]:
    """A sound table of three classes. more: a column for the label of each."""
    shares = ((0.5, 0.25, 0.25), (0.125, 0.75, 0.125), (0.25, 0.25, 0.5))
    names = {"a": "p_a", "b": "p_b", "c": "p_c", **more}
    return [
        {"case": case, "y": label, **dict(zip(names.values(), shares[place % 3], strict=False))}
        for place, (case, label) in enumerate(THREE.items())
    ]


def text(table: Sequence[Row], **cells: object) -> str:
    """A table as CSV. cells: `p_3=""` empties the column p in line 3; line 1 is the header."""
    lines = [dict(row) for row in table]
    for place, value in cells.items():
        name, _, line = place.rpartition("_")
        lines[int(line) - 2][name] = value
    names = list(dict.fromkeys(name for line in lines for name in line))
    cut = [",".join(str(line.get(name, "")) for name in names) for line in lines]
    return "\n".join([",".join(names), *cut]) + "\n"


def changed(table: Sequence[Row], **columns: object) -> list[Row]:
    """The table with columns set; of None, removed; of a function of the row, computed."""
    made = []
    for row in table:
        new = {**row, **{name: one(row) if callable(one) else one for name, one in columns.items()}}
        made.append({name: value for name, value in new.items() if value is not None})
    return made


def renamed(table: Sequence[Row], **names: str) -> list[Row]:
    return [{names.get(name, name): value for name, value in row.items()} for row in table]


def wide(**columns: Sequence[object]) -> list[Row]:
    """A table with a column a seed."""
    return [
        {"case": case, "y": y, **{name: cells[place] for name, cells in columns.items()}}
        for place, (case, y) in enumerate(Y.items())
    ]


P = (0.1, 0.8, 0.6, 0.3, 0.9, 0.2)
SOUND = text(rows())
NO_Y = changed(rows(), y=None)
ONE_EACH = changed(rows(), p=lambda row: 0.9 if row["seed"] == 1 else 0.8)
BAD = [
    # the truth
    Bad("y differs", text(rows(), y_5=1), ["truth 'y'", "line 5", "case 'c4'", "one truth"]),
    Bad(
        "y differs in another order",
        text(changed(rows(), case=None), y_9=0),
        ["differs", "line 3", "line 9", "one order", "case="],
    ),
    Bad("y missing", text(rows(), y_4=""), ["'y' is missing in line 4", "1 of 24", "remove the rows"]),
    Bad("y constant", text(changed(rows(), y=1)), ["'1' in all rows", "two or more"]),
    Bad("y constant, a number", text(changed(rows(kind="yhat"), y=3.5)), ["is 3.5 in all rows"]),
    Bad("no y", text(changed(NO_Y, p=0.5)), ["no column of the truth", "y=", 'scores="p"']),
    Bad("an AUC a seed", text(renamed(NO_Y, p="score")), ["no column of the truth", 'scores="score"']),
    Bad("scores alone", text(renamed(NO_Y, p="accuracy")), ["no column of the truth", "scores="]),
    Bad(
        "the truth is called label", text(renamed(rows(), y="label")), ["no column of the truth", 'y="label"']
    ),
    Bad(
        "two truths",
        text(renamed(changed(rows(), target=1), y="y_true")),
        ["'y_true' and 'target' may both", 'y="y_true" or y="target"'],
    ),
    Bad(
        "sixty classes",
        "y,p\n" + "".join(f"k{row},.5\n" for row in range(60)),
        ["60 different", "at most 50"],
    ),
    Bad(
        "labels that differ in case",
        text(rows({**Y, "c1": "M", "c2": "m", "c3": "B", "c4": "B", "c5": "M", "c6": "B"})),
        ["upper and lower case"],
        {"positive": "M"},
    ),
    Bad(
        "which is positive",
        text(rows({case: "BM"[y] for case, y in Y.items()})),
        ["'B' and 'M'", 'positive="B" or positive="M"'],
    ),
    Bad("no such positive", SOUND, ["positive label '2'", "'1' (12)"], {"positive": "2"}),
    Bad("a positive of three", text(of_three()), ["3 labels", "positive"], {"positive": "a"}),
    Bad(
        "a class without test cases",
        text(changed(of_three(), part=lambda row: "val" if row["y"] == "a" else "test")),
        ["no case of the part", "class"],
    ),
    # the predictions
    Bad(
        "no prediction", text(changed(rows(), p=None)), ["no column is known as a prediction", "p=", "label="]
    ),
    Bad("logits in p", text(renamed(rows(kind="logit"), logit="p")), ["between 0 and 1", 'logit="p"']),
    Bad("per cent in p", text(changed(rows(), p=lambda row: 100 * row["p"])), ["per cent", "100"]),
    Bad("text in p", text(rows(), p_7="high"), ["'p' holds 'high' in line 7", 'label="p"']),
    Bad("labels in p", text(changed(rows(), p=lambda row: row["y"])), ["0 and 1 alone", 'label="p"']),
    Bad("p partly missing", text(rows(), p_6=""), ["'net' is missing in line 6 (case 'c5')", "diverged"]),
    Bad(
        "nothing of a model",
        text(changed(rows(), p=lambda row: "" if row["model"] == "net" else row["p"])),
        ["'net' has no prediction"],
    ),
    Bad("an accuracy a seed, called p", text(ONE_EACH), ["one number for all cases", 'scores="p"']),
    Bad("p and logit", text(changed(rows(), logit=0.3)), ["'p' and 'logit'", 'p="p" or logit="logit"']),
    Bad("p and label", text(changed(rows(), label=1)), ["'p' and 'label'", "one kind"]),
    Bad("p and y_pred", text(changed(rows(), y_pred=1)), ["'p' and 'y_pred'", "one kind"]),
    Bad(
        "two probabilities",
        text(renamed(changed(rows(), prob=0.4), p="score")),
        ["may both be the probability"],
    ),
    Bad("sum", text(of_three(), **{"p_b_4": 0.5}), ["sum to 1.25 in line 4", "1 of 6 rows", "by their sum"]),
    Bad("a label without column", text(of_three(c="score_c")), ["label 'c'", "'p_a', 'p_b'", 'p="p_*"']),
    Bad(
        "a column without label",
        text([{**row, "p_b": 0.25, "p_d": 0.25, "p_c": 0.25, "p_a": 0.25} for row in of_three()]),
        ["sum to 0.75", "'p_d'", "no case"],
    ),
    Bad("p of three classes", text(rows(THREE)), ["two classes apart", "3 labels", 'p="p_*"']),
    Bad("unknown label", text(rows(THREE, "label"), label_5="z"), ["label 'z' in line 5", "'a', 'b', 'c'"]),
    Bad(
        "text in yhat",
        text(rows(NUMBER, "yhat"), yhat_3="n.d."),
        ["'n.d.' in line 3", "a guess"],
        {"yhat": "yhat"},
    ),
    Bad("yhat of labels", text(rows(THREE, "yhat")), ["'a' in line 2", "label="], {"yhat": "yhat"}),
    Bad("logit infinite", text(rows(kind="logit"), logit_4="inf"), ["is infinite in line 4"]),
    Bad(
        "quantiles crossed",
        text(changed(rows(NUMBER, "yhat"), q05=3, q95=2)),
        ["'q05' is above 'q95'", "24 of 24"],
    ),
    Bad(
        "quantiles alone", text(changed(rows(NUMBER, "yhat"), q05=1, q95=2, yhat=None)), ["no guess", "yhat="]
    ),
    Bad(
        "a quantile missing",
        text(changed(rows(NUMBER, "yhat"), q05=1), q05_3=""),
        ["'q05' is missing in line 3"],
    ),
    Bad("a level of 100 per cent", text(changed(rows(NUMBER, "yhat"), q100=9)), ["not between 0 and 1"]),
    # the rows
    Bad("a seed lacks a case", text(rows()[:-1]), ["'trees' the seed '1'", "case 'c6'", "seed '2' lacks"]),
    Bad("a seed has another case", text(rows(), case_13="c1").replace("2,c6", "2,c7", 1), ["'net'", "c1"]),
    Bad("a case twice", text([*rows(), rows()[3]]), ["'c4' in lines 5 and 26", "seed '1'", "remove one"]),
    Bad("seeds without their column", text(changed(rows(), seed=None)), ["lines 2 and 8", "seed="]),
    Bad("a case in train", text(changed(rows(), part="test"), part_4="train"), ["'c3'", "train (line 4)"]),
    Bad("a case in val", text(changed(rows(), part="val"), part_9="test"), ["in one part", "'c2'"]),
    Bad(
        "an unknown part", text(changed(rows(), part="held"), part_3="test"), ["test, val or train", "'held'"]
    ),
    Bad("no test rows", text(changed(rows(), part="val")), ["no row is of the part test", "part="]),
    Bad(
        "two groups of a case",
        text(changed(rows(), group="g"), group_10="h"),
        ["group 'group' differs", "'h'"],
    ),
    Bad(
        "a seed in some rows",
        text(rows(), **{f"seed_{line}": "" for line in range(2, 8)}),
        ["no seed in line 2"],
    ),
    Bad("no model", text(rows(), model_8=""), ["line 8 has no model", "'model' is empty"]),
    Bad("no case", text(rows(), case_8="", case_9="NA"), ["line 8 has no case", "1 more"]),
    Bad("no group", text(changed(rows(), group="g"), group_3=""), ["line 3 has no group"]),
    Bad("n_train differs", text(changed(rows(), n_train=400), n_train_3=300), ["300 and 400", "'study'"]),
    Bad(
        "n_train is no number", text(changed(rows(), n_train="all")), ["'all' in line 2", "a number of rows"]
    ),
    Bad("n_train of half a row", text(changed(rows(), n_train=1.5)), ["number of train rows", "1.5"]),
    # wide tables
    Bad(
        "wide, text in one",
        text(wide(s1=P, s2=[*"abcdef"])),
        ["'s1' looks like p", "'s2' like label"],
        {"wide": "s*"},
    ),
    Bad(
        "wide, logits",
        text(wide(s1=P, s2=[-3, 2, 1, -1, 4, -2])),
        ["between 0 and 1", "-3", 'kind="logit"'],
        {"wide": "s*"},
    ),
    Bad("wide, one column", text(wide(s1=P)), ["one column", "one a seed"], {"wide": "s*"}),
    Bad("wide, none", text(wide(s1=P)), ["no column is called", 'wide="seed_*"'], {"wide": "seed_*"}),
    Bad(
        "wide and a seed", text(changed(wide(s1=P, s2=P), seed=1)), ["both tell the seeds"], {"wide": "s1,s2"}
    ),
    Bad("wide and p", text(wide(s1=P, s2=P)), ["both name predictions"], {"wide": "s*", "p": "s1"}),
    Bad("wide of no kind", text(wide(s1=P, s2=P)), ["none of p, logit"], {"wide": "s*", "kind": "prob"}),
    # names and files
    Bad("a name that is not there", SOUND, ["no column 'mode'", "did you mean model?"], {"model": "mode"}),
    Bad("one column for two things", SOUND, ["'seed' cannot be both"], {"model": "seed", "split": "seed"}),
    Bad("two kinds said", SOUND, ["'p' and 'seed'", "one kind"], {"p": "p", "logit": "seed"}),
    Bad("a star that fits nothing", SOUND, ["no column is called", 'p="prob_*"'], {"p": "prob_*"}),
    Bad("one name twice", SOUND.replace("seed", "model"), ["more than one column", "'model'"]),
    Bad("an empty file", "", ["it is empty"]),
    Bad("a header alone", "model,seed,case,y,p\n", ["no data rows"]),
    Bad("a short line", SOUND.replace("net,1,c3,1,", "net,1,c3,"), ["line 4", "4 cells", "5"]),
    Bad("no header", "1,2,3\n4,5,6\n", ["header is missing"]),
    Bad("JSON", '[{"y": 1, "p": 0.5}]', ["JSON", "CSV"]),
]
