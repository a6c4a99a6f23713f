"""Which model, division and seed each run of MLflow is of: as the reader says, or as runs usually tell."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from handnet.data import listed
from handnet.messages import Refusal, nearest, option
from handnet.predictions.experiment import FINISHED, Run
from handnet.predictions.form import MODEL, SPLIT

MODELS = ("tags.model", "params.model")  # where a run may say of what model it is
SEEDS = ("params.seed", "tags.seed", "params.random_state", "params.random_seed")
SPLITS = ("tags.split", "params.split", "tags.fold", "params.fold")
OF_SEEDS = re.compile(r"(^|_)(seed|random_state|random_seed)$")  # how the name of a seed's parameter ends
ESTIMATOR = "tags.estimator_name"  # what autologging says of a scikit-learn model
GENERATED = re.compile(r"[a-z]+-[a-z]+-\d{1,4}")  # the names that MLflow gives to runs without one
# A number at the end of a run's name, with a word for what it counts or with none.
WORDED = re.compile(
    r"(?i)(?P<stem>.*?)(?:(?:^|[\W_]+)(?:run|rep|repeat|replicate|s)|[\W_]*seed)[\W_]*(?P<number>\d+)\W?"
)
NUMBERED = re.compile(r"(?P<stem>.*?)(?:^|[\s_/:(#-]+)(?P<number>\d+)\W?")


@dataclass(frozen=True)
class Told:
    """A run, and what it is of. seed: "" where nothing tells it."""

    run: Run
    model: str
    split: str
    seed: str


@dataclass
class Reading:
    """How runs are told apart. by, seed, split: keys as params.lr that the reader names, () or "" for none.

    notes: sentences on what was taken for what, and on what was left out, as they become known.
    """

    by: tuple[str, ...] = ()
    seed: str = ""
    split: str = ""
    notes: list[str] = field(default_factory=list)

    def told(self, runs: Sequence[Run]) -> list[Told]:
        """What each finished run is of. Raises Refusal where a key is in none of them."""
        parents = {run.id: run.name for run in runs}
        finished, holding = self._finished(runs), {run.parent for run in runs}
        for key in (*self.by, self.seed, self.split):
            check_key(key, finished, parents)
        names = seeds_in_names(finished)
        found, without = list[Told](), defaultdict[str, list[Run]](list)
        rules = Counter[str]()
        for run in finished:
            model, rule = self._model(run, parents, names)
            split = value(run, self.split, parents) if self.split else _first(run, SPLITS) or SPLIT
            seed = (
                value(run, self.seed, parents) if self.seed else _seed(run) or names.get(run.id, ("", ""))[1]
            )
            for key, text in ((",".join(self.by), model), (self.split, split)):
                without[key] += [] if text else [run]
            if model and split:
                rules[rule] += run.id not in holding
                found.append(Told(run, model, split, seed))
        for key, some in without.items():
            self.notes += _left_out(some, f"they have no {key}") if some else []
        if not self.by:
            self.notes.append(
                f"Models are told apart by {' and '.join(rule for rule, count in rules.items() if count)}."
            )
        return found

    def _finished(self, runs: Sequence[Run]) -> list[Run]:
        """The runs that are finished; the others are counted in a note."""
        others = Counter(run.status.lower() for run in runs if run.status != FINISHED)
        if others:
            counted = listed(f"{count} {status}" for status, count in others.items())
            self.notes.append(f"Runs that are not finished are left out: {counted}.")
        finished = [run for run in runs if run.status == FINISHED]
        if not finished:
            what = "there are no runs in it" if not runs else "none of its runs is finished"
            raise Refusal(f"the experiment tells nothing: {what}.")
        return finished

    def _model(
        self, run: Run, parents: Mapping[str, str], names: Mapping[str, tuple[str, str]]
    ) -> tuple[str, str]:
        """The name of a run's model, "" where the keys named are missing; and what told it."""
        if self.by:
            values = [(key, value(run, key, parents)) for key in self.by]
            missing = not all(text for _, text in values)
            return "" if missing else ", ".join(_called(*pair) for pair in values), ""
        for key in MODELS:
            if text := value(run, key, {}):
                return text, key
        if run.parent in parents:
            return parents[run.parent], "the runs they are nested in"
        if stem := names.get(run.id, ("" if GENERATED.fullmatch(run.name) else run.name, ""))[0]:
            return stem, "the names of runs"
        estimator = value(run, ESTIMATOR, {})
        return (estimator, ESTIMATOR) if estimator else (MODEL, "nothing, as one model")

    def with_seeds(self, told: Sequence[Told]) -> list[Told]:
        """The same runs, each with a seed but for a model of one run; those without are counted in order.

        Raises Refusal when runs without a seed are said to be of one model by nobody, and have settings that
        differ."""
        groups, found = defaultdict[tuple[str, str], list[Told]](list), list[Told]()
        for one in told:
            groups[one.model, one.split].append(one)
        counted: list[str] = []
        for (model, _), group in groups.items():
            without = [one for one in group if not one.seed]
            if len(group) == 1 or not without:
                found += group
            elif len(without) < len(group):
                found += [one for one in group if one.seed]
                self.notes += _left_out([one.run for one in without], f"others of {model} have a seed")
            else:
                self._check_alike(model, group)
                found += [replace(one, seed=str(at)) for at, one in enumerate(group, 1)]
                counted.append(model)
        if counted:
            models = listed(dict.fromkeys(counted))
            self.notes.append(f"No seed is told of {models}: run 1, 2, ... are in the order of their start.")
        return found

    def refuse_two(self, one: Told, other: Run, latest: bool) -> None:
        """Raises Refusal for two runs of one model, division and seed, unless the later one is to count."""
        seed = f", seed {one.seed}" if one.seed else ""
        if not latest:
            apart = _differing([one.run, other])
            way = option("by", f"params.{apart[0]}") if apart else option("by", "")
            raise Refusal(
                f"the runs {one.run} and {other} are of one fit ({one.model}, division {one.split}{seed})"
                f"{f' and differ in {listed(apart)}' if apart else ''}; {way}, {option('seed', '')} or"
                f" {option('split', '')} tells them apart, and {option('latest', True)} takes the later."
            )
        told = "Of several runs of one model, division and seed the latest is taken."
        self.notes += [] if told in self.notes else [told]

    def _check_alike(self, model: str, group: Sequence[Told]) -> None:
        apart = [] if self.by else _differing([one.run for one in group])
        if apart:
            raise Refusal(
                f"{len(group)} runs seem to be of one model, {model}, without a seed, but they differ in"
                f" {listed(apart)}; say what a model is with {option('by', f'params.{apart[0]}')}, or what"
                f" the seed is with {option('seed', f'params.{apart[0]}')}."
            )


def _differing(runs: Sequence[Run]) -> list[str]:
    """The params in which runs differ, but for those of seeds."""
    names = sorted({name for run in runs for name in run.params if not OF_SEEDS.search(name)})
    return [name for name in names if len({run.params.get(name) for run in runs}) > 1]


def check_key(key: str, runs: Sequence[Run], parents: Mapping[str, str]) -> None:
    """Raises Refusal for a key that no run has, with the nearest that one has."""
    if not key or any(value(run, key, parents) for run in runs):
        return
    if key == "parent":
        raise Refusal("no run is nested in another, so none has a parent to be told apart by.")
    known = {f"params.{name}" for run in runs for name in run.params}
    known |= {f"tags.{name}" for run in runs for name in run.tags if not name.startswith("mlflow.")}
    raise Refusal(
        f"no finished run has {key}; {nearest(key, [*sorted(known), 'attributes.run_name', 'parent'])}"
    )


def value(run: Run, key: str, parents: Mapping[str, str]) -> str:
    """What a run has under params.NAME, tags.NAME, attributes.run_name, parent or a bare name; "" for none.

    parents: id -> name of runs. "None", as autologging writes it, is none."""
    space, _, name = key.partition(".")
    name = name.strip("`\"'")
    if key == "parent":
        text = parents.get(run.parent, "")
    elif key in ("attributes.run_name", "run_name"):
        text = run.name
    elif space in {"params", "tags"}:
        text = (run.params if space == "params" else run.tags).get(name, "")
    else:
        text = run.params.get(key, "") or run.tags.get(key, "")
    return "" if text == "None" else text.strip()


def seeds_in_names(runs: Iterable[Run]) -> dict[str, tuple[str, str]]:
    """Of runs whose name ends with a seed's number: id -> the name without it, and the number.

    A number counts as one when a word says so (rf-seed3), when it is the seed that the run tells elsewhere,
    or when the numbers behind one stem are 0, 1, 2, ... or 1, 2, 3, ...; so resnet-18 and resnet-50 stay two.
    """
    found, stems = dict[str, tuple[str, str]](), defaultdict[str, list[tuple[Run, str]]](list)
    for run in runs:
        worded, numbered = WORDED.fullmatch(run.name), NUMBERED.fullmatch(run.name)
        if worded:
            found[run.id] = worded["stem"], worded["number"]
        elif numbered and not GENERATED.fullmatch(run.name):
            stems[numbered["stem"]].append((run, numbered["number"]))
    for stem, some in stems.items():
        counts = sorted(int(number) for _, number in some)
        in_order = len(counts) > 1 and counts in ([*range(len(counts))], [*range(1, len(counts) + 1)])
        found |= {run.id: (stem, number) for run, number in some if in_order or _seed(run) == number}
    return found


def _seed(run: Run) -> str:
    """The seed that a run tells in its params or tags, "" for none."""
    if text := _first(run, SEEDS):
        return text
    ends = [key for key in run.params if OF_SEEDS.search(key) and value(run, f"params.{key}", {})]
    return run.params[ends[0]] if len(ends) == 1 else ""


def _first(run: Run, keys: Sequence[str]) -> str:
    return next((text for key in keys if (text := value(run, key, {}))), "")


def _called(key: str, text: str) -> str:
    """A value in the name of a model: alone, or behind its key where it is a number."""
    return f"{key.rpartition('.')[2]}={text}" if re.fullmatch(r"[\d.eE+-]+|True|False", text) else text


def _left_out(runs: Sequence[Run], why: str) -> Iterator[str]:
    yield f"Left out because {why}: {listed(map(str, runs))}."
