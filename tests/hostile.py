"""Names that would be markup if they could, and the facts of a report that has a name wherever it can."""

from collections.abc import Sequence

HOSTILE = [
    # HTML and SVG
    "<script>alert(1)</script>",
    "</td></tr></table><script src=//evil.example/x.js></script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</text></svg><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<!--",
    "--><b>x</b>",
    "]]><x>",
    "<![CDATA[x]]>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<style>*{background:url(//evil.example)}</style>",
    "<foreignObject><b>",
    "<?xml version='1.0'?>",
    # quotes, entities, what is double-decoded
    "\"onload='1",
    "' autofocus onfocus=alert(1) x='",
    '" style="background:url(javascript:1)" x="',
    "&lt;script&gt;",
    "&#60;b&#62;",
    "&quot;&#x27;&amp;amp;",
    "%3Cscript%3E",
    "\\u003cscript\\u003e",
    "+ADw-script+AD4-",
    "\ufe64script\ufe65",
    # Markdown
    "a|b",
    "|---|---|",
    "`x`",
    "``` x",
    "~~~",
    "[y](javascript:z)",
    "![y](http://evil.example/x.png)",
    "[y]: http://evil.example",
    "<http://evil.example>",
    "[y][z]",
    "*_#\\",
    "# x",
    "> x",
    "- x",
    "1. x",
    "    x",
    "===",
    "---",
    "\\",
    "\\[y](z)",
    "x](y)",
    "line\nbreak",
    "line\r\n\r\n# x",
    "a\u2028b\u2029c",
    # formulas, TeX, templates
    '=HYPERLINK("http://evil.example")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "$x$",
    "$\\frac{1$",
    "\\input{/etc/passwd}",
    "^{x}_{y",
    "{{ 7*7 }}",
    "{% raw %}",
    "{# x #}",
    "${7*7}",
    "%(x)s {0} %n",
    "<%= 7 %>",
    # addresses
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "//evil.example",
    "../../etc/passwd",
    # letters
    "\u202egnp.exe",
    "\u2066x\u2069\u200b\ufeff",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u4e2d\u6587\U0001f480",
    "a\u0301" * 40,
    "\x01\x07\x08\x1b[31mred\x7f\x85",
    "x" * 10_000,
    "W " * 5_000,
    " ",
    "None",
]


def facts_with(name: str) -> dict:
    band = {
        "role": name,
        "part": "val",
        "score": "accuracy",
        "low": 0.5,
        "high": 0.75,
        "varied": "seeds",
        "estimand": "score of a further seed on these rows",
        "inside": 4,
        "assured": 0.2,
        "n": 4,
        "coverage": 0.57,
        "centres": {"median": 0.625, "mean": 0.6},
        "diverged": 1,
        "seeds": 0,
        "simulated": None,
        "groups": 0,
    }
    difference = band | {"kind": "nadeau-bengio", "varied": "splits", "centres": {"mean": 0.1}}
    wins = difference | {"centres": {"share": 0.1}}
    pair = {
        "ours": name,
        "theirs": name,
        "over_splits": [
            {
                "score": "accuracy",
                "unit": "points",
                "widest": 1.0,
                "decides": True,
                "difference": difference,
                "p": 0.5,
                "p_holm": 1.0,
                "detectable": 0.1,
                "detectable_level": 0.05,
                "rope": {"worse": 0.1, "equal": 0.8, "better": 0.1, "width": 0.01},
                "wins": wins,
            }
        ],
        "on_test": None,
    }
    part = {
        "source": name,
        "deviation": 0.1,
        "low": 0.05,
        "high": 0.2,
        "share": 0.5,
        "mean_square": 1.0,
        "degrees": 3,
        "negative": True,
    }
    measures = dict.fromkeys(
        ("threshold", "sensitivity", "specificity", "ppv", "npv"), [band | {"kind": "quantiles"}] * 2
    )
    point = {"role": name, "fixed": "probability", "target": 0.5, "uncalled": 1, **measures}
    benefit = {"threshold": 0.1, "treat_all": 0.2, "methods": [], "differences": [band | {"theirs": name}]}
    rule = {"what": "r", "setting": "s", "nominal": 0.05, "found": 0.04, "studies": 9}
    rates = {"rule": "r", "score": "accuracy", "rate": wins, "correlation": 0.1, "may_word": True}
    layout = dict.fromkeys(("rows", "train", "validation", "test", "rarer", "divisions", "classes"), 9)
    rules = {"alpha": 0.05, "layout": layout, "measured_layout": layout, "layouts": 2, "erring_layouts": 1}
    chance = {"comparisons": 1, "by_chance": 0.05, "below": 0, "below_by_holm": 0}
    gap = band | {"part": "gap", "score": "gap"}
    row = {
        "role": "winner",
        "part": "val",
        "case": name,
        "class": name,
        "seeds": 4,
        "misses": 1,
        "miss_share": 0.25,
        "miss_low": 0.1,
        "miss_high": 0.6,
        "self_consistency": 0.5,
        "score_median": 0.4,
        "score_low": 0.1,
        "score_high": 0.6,
        "extremes": f"{name} +1.0 sd",
    }
    return {
        "schema": 1,
        "study": name,
        "fingerprint": "f",
        "data": {
            "digest": "d",
            "cases": 9,
            "groups": 6,
            "features": 2,
            "inputs": 2,
            "notes": [f"Left out, because they never vary: {name!r}."],
            "task": "two classes",
            "classes": [name, name],
            "target": "",
            "positive_class": name,
            "negative_class": name,
        },
        "split": {
            "parts": {one: {"cases": 3, "positive": 1, "groups": 2} for one in ("train", "val", "test")},
            "digest": "s",
            "test_digest": "t",
            "order": "o",
            "seed": 1,
            "stratify": True,
        },
        "scores": [{"score": "accuracy", "main": True, "higher": True}],
        "confusion": None,
        "bands": [one | {"kind": kind} for one in (band, gap) for kind in ("quantiles", "min-max")],
        "configurations": [
            {
                "role": name,
                "tuned": name,
                "chosen": name,
                "config_id": "c",
                "model": None,
                "recipe": None,
                "params": None,
                "overfit": None,
            }
        ],
        "statements": [f"Of the cases {name}, and {name}."],
        "verdict": f"The verdict on {name}.",
        "warnings": [f"Few {name}."],
        "looks": {
            "counted": True,
            "looks": 2,
            "chance": 0.0975,
            "level": 0.975,
            "score": "accuracy",
            "bands": [{"role": name, "plain": band, "corrected": band}],
        },
        "comparisons": [pair],
        "thresholds": {"part": "val", "prevalence": 0.4, "own_prevalence": False, "points": [point]},
        "net_benefit": {"part": "val", "prevalence": 0.4, "own_prevalence": True, "thresholds": [benefit]},
        "variance": [{"role": name, "design": "d", "score": "accuracy", "components": [part]}],
        "by_chance": {"alpha": 0.05, "over_divisions": chance, "on_test": chance},
        "settings": {"verdict": {"score": "accuracy", "equal": 0.01}},
        "rules": rules | {"over_divisions": [rates], "on_test": [rule]},
        "selection": {"corrected": None, "best_of": None},
        "judged": {"task": "two classes", "classes": [name, "M"], "target": "", "tolerance": None},
        "watched": [{"case": name, "part": None}],
        "doubt": [
            {
                "role": "winner",
                "part": "val",
                "cases": 3,
                "seeds": 4,
                "mostly": 0,
                "some": 1,
                "differing": 0.5,
                "tolerance": None,
            }
        ],
        "missed": [row],
        "stories": [
            row | {"sentence": f"Case #{name} ({name}, test).", "miss_share": share} for share in (0.25, 0.01)
        ],
        "curves": {},
        "seed_scores": {name: {"accuracy": [0.5, 0.6, None]}},
        "reliability": None,
        "calibration_curve": None,
        "guesses": None,
        "deployed": None,
        "search": {
            "design": "tpe",
            "score": "log_loss",
            "objective": "o",
            "seeds": [0, 1, 2],
            "winner_on_fresh_seeds": {},
            "trials": [],
            "repeats": 0,
            "params": [name],
            "importances": {},
            "surface": None,
            "again": {"samples": 9, "seeds": 2, "trials": []},
        },
        "opening": None,
        "identity": {
            "backend": "numpy",
            "dtype": "float32",
            "device": "cpu",
            "draws": "seeded",
            "arithmetic": 1,
        },
        "versions": {"python": "3"},
        "machines": [name],
        "seconds": {},
    }


def facts_with_all(names: Sequence[str]) -> dict:
    """One report in which each of the names has rows of its own."""
    each = [facts_with(name) for name in names]
    rows = {
        key: [row for facts in each for row in facts[key]]
        for key, value in each[0].items()
        if isinstance(value, list)
    }
    return each[0] | rows | {"seed_scores": {name: {"accuracy": [0.5, 0.6, None]} for name in names}}
