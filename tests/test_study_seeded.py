"""SeededObjective: a study of Optuna's whose trials are all repeated over the same seeds."""

import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner
from optuna.trial import TrialState
from scipy.stats import ttest_rel

from handnet import Predictions, Refusal, SeededObjective
from handnet.bands.over_seeds import p_worse

ROOT = Path(__file__).parent.parent
COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def noise(seed: int, x: float = 0.0) -> float:
    """What a seed adds for every configuration, and what it adds for this one alone."""
    return float(np.random.default_rng([seed, int(abs(x) * 1e9)]).normal())


def bowl(trial: Any, seed: int) -> float:
    x = trial.suggest_float("x", -1, 1)
    return 0.1 + 0.1 * x * x + 0.02 * noise(seed) + 0.02 * noise(seed, x)


def study_of(points: list[float] = (), pruner: BasePruner | None = None, **more: Any) -> optuna.Study:
    """A study that tries these x first, then others at random."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner, **more)
    for x in points:
        study.enqueue_trial({"x": x})
    return study


def counted(train: Callable[[Any, int], float]) -> tuple[Callable[[Any, int], float], list[tuple[int, int]]]:
    """The function, and a list of the (trial, seed) that it is called with."""
    calls: list[tuple[int, int]] = []

    def train_once(trial: Any, seed: int) -> float:
        calls.append((trial.number, seed))
        return train(trial, seed)

    return train_once, calls


def test_a_trial_is_the_mean_over_all_seeds_and_says_which() -> None:
    seeds = [7, 3, 2**31, np.int64(11), 5]
    train_once, calls = counted(bowl)
    study = study_of()
    study.optimize(SeededObjective(train_once, seeds=seeds, prune=False), n_trials=6)
    for trial in study.trials:
        values = [bowl(optuna.trial.FixedTrial(trial.params), seed) for seed in seeds]
        assert trial.state == COMPLETE
        assert trial.value == np.mean(values)
        assert trial.intermediate_values == dict(enumerate(values))
        said = trial.user_attrs
        assert said["seeds"] == seeds
        assert said["n_seeds"] == 5
        assert said["partial"] is False
        assert said["values"] == {str(seed): value for seed, value in zip(seeds, values, strict=True)}
        band = said["band"]
        assert [band["low"], band["high"]] == pytest.approx(np.quantile(values, [0.025, 0.975]))
        assert (band["n"], band["kind"], band["varied"]) == (5, "quantiles", "seeds")
        assert band["coverage"] == pytest.approx(0.95 * 4 / 6)
    orders = {tuple(seed for number, seed in calls if number == trial.number) for trial in study.trials}
    assert all(sorted(order) == sorted(seeds) for order in orders)
    assert len(orders) > 1
    again, calls_again = counted(bowl)
    study_of().optimize(SeededObjective(again, seeds=seeds, prune=False), n_trials=6)
    assert calls_again == calls


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("prune", [True, False])
def test_a_configuration_with_a_lucky_start_is_never_crowned(direction: str, prune: bool) -> None:
    """Trials 2 and 3 are perfect with the seeds that they meet first. Then trial 2 is the worst of all, and
    trial 3 ends itself."""
    sign = 1 if direction == "minimize" else -1
    met: dict[int, int] = Counter()

    def train_once(trial: Any, seed: int) -> float:
        x = trial.suggest_float("x", -1, 1)
        met[trial.number] += 1
        if trial.number == 3 and met[3] > 4:
            raise optuna.TrialPruned
        lucky = trial.number > 1 and met[trial.number] <= 4
        return sign * (0.0 if lucky else 0.1 + abs(x) + 0.01 * noise(seed))

    study = study_of([0.1, 0.3, 0.9, 0.0], direction=direction)
    study.optimize(SeededObjective(train_once, prune=prune), n_trials=4)
    assert study.best_trial.number == 0
    assert [trial.number for trial in study.best_trials] == [0]
    assert study.trials[2].state == (PRUNED if prune else COMPLETE)
    assert study.trials[3].state == PRUNED
    assert study.trials[3].value == 0  # the best value of all, of four seeds


def test_an_outlier_of_the_best_does_not_drop_what_is_better_on_average() -> None:
    def train_once(trial: Any, seed: int) -> float:
        bad = trial.number == 0 and seed == 6
        return 10.0 if bad else 0.1 * (1 + trial.number) + 1e-3 * noise(seed, trial.number)

    study = study_of()
    study.optimize(SeededObjective(train_once), n_trials=3)
    assert study.best_trial.number == 1
    assert [trial.state for trial in study.trials] == [COMPLETE, COMPLETE, PRUNED]


@settings(max_examples=40)
@given(
    table=arrays(
        float,
        st.tuples(st.integers(1, 6), st.integers(2, 9)),
        elements=st.one_of(st.integers(0, 9).map(float), st.sampled_from([np.nan, np.inf, -np.inf])),
    ),
    direction=st.sampled_from(["minimize", "maximize"]),
    startup=st.integers(2, 5),
)
def test_the_best_is_the_best_of_those_that_have_every_seed(
    table: np.ndarray, direction: str, startup: int
) -> None:
    """table: (trials, seeds), what each training gives."""
    train_once, calls = counted(lambda trial, seed: table[trial.number, seed])
    study = study_of(direction=direction)
    objective = SeededObjective(train_once, seeds=table.shape[1], startup=startup, p_threshold=0.2)
    study.optimize(objective, n_trials=len(table))
    assert len(calls) == len(set(calls))
    complete = {trial.number: trial.value for trial in study.trials if trial.state == COMPLETE}
    for trial, row in zip(study.trials, table, strict=True):
        seeds = [seed for number, seed in calls if number == trial.number]
        assert trial.state in {COMPLETE, PRUNED}
        if trial.state == COMPLETE:
            assert sorted(seeds) == list(range(len(row)))
            assert trial.value == np.mean(row)
        elif np.isfinite(row[seeds]).all():
            assert startup <= len(seeds) < len(row)
            assert trial.value == pytest.approx(np.mean(row[seeds]))
        else:
            assert trial.value is None
            assert np.isfinite(row[seeds[:-1]]).all()
    if complete:
        best = min(complete.values()) if direction == "minimize" else max(complete.values())
        assert study.best_value == best
    else:
        assert not study.best_trials


def test_what_is_left_early_says_so_and_is_recorded_with_its_mean() -> None:
    study = study_of([0.0, 1.0, 0.9])
    study.optimize(SeededObjective(bowl), n_trials=3)
    assert [trial.state for trial in study.trials] == [COMPLETE, PRUNED, PRUNED]
    for trial in study.trials[1:]:
        said = trial.user_attrs
        n = said["n_seeds"]
        assert 5 <= n < 20
        assert said["partial"]
        assert said["band"]["n"] == n == len(said["values"])
        assert trial.value == pytest.approx(np.mean(list(said["values"].values())))
        assert f"worse than trial 0 on {n} of 20 seeds" in said["stopped"]
        best = study.best_trial.user_attrs["values"]
        pairs = [(value, best[seed]) for seed, value in said["values"].items()]
        assert ttest_rel(*zip(*pairs, strict=True), alternative="greater").pvalue < 0.05


@pytest.mark.parametrize("startup", [6, 9])
def test_no_trial_is_left_before_the_startup(startup: int) -> None:
    study = study_of([0.0, 1.0])
    study.optimize(SeededObjective(bowl, startup=startup), n_trials=2)
    assert study.trials[1].user_attrs["n_seeds"] == startup


def test_a_score_is_maximised_as_its_loss_is_minimised() -> None:
    losses, scores = study_of(), study_of(direction="maximize")
    losses.optimize(SeededObjective(bowl, seeds=12), n_trials=25)
    scores.optimize(SeededObjective(lambda trial, seed: -bowl(trial, seed), seeds=12), n_trials=25)
    assert {trial.state for trial in losses.trials} == {COMPLETE, PRUNED}
    for loss, score in zip(losses.trials, scores.trials, strict=True):
        assert (loss.state, loss.params, loss.value) == (score.state, score.params, -score.value)
    assert losses.best_trial.number == scores.best_trial.number


@given(arrays(float, st.integers(2, 12), elements=st.floats(-1, 1)), st.integers(0, 2**32 - 1))
def test_the_test_is_the_paired_t_test_of_scipy(worse: np.ndarray, seed: int) -> None:
    a = np.random.default_rng(seed).normal(size=len(worse))
    worse = np.round(worse, 3) + 0.1 * a
    expected = ttest_rel(worse, np.zeros_like(worse), alternative="greater").pvalue
    if worse.mean() > 0:
        assert p_worse(worse) == pytest.approx(max(expected, 2.0 ** -len(worse)), rel=1e-9)
    else:
        assert p_worse(worse) == 1
        assert expected >= 0.5


@pytest.mark.parametrize(("worse", "p"), [([0.01] * 5, 2**-5), ([0.0] * 5, 1.0), ([-0.01] * 5, 1.0)])
def test_ties_show_no_more_than_their_signs(worse: list[float], p: float) -> None:
    assert p_worse(np.array(worse)) == p


@pytest.mark.long
def test_good_configurations_are_seldom_left() -> None:
    """Of the configurations that would have become the best, at most 3 % are left early, while two fifths of
    the trainings are saved."""
    became = left = trained = 0
    for repeat in range(30):
        study = study_of()
        study.sampler = optuna.samplers.RandomSampler(seed=repeat)

        def train_once(trial: Any, seed: int, repeat: int = repeat) -> float:
            return bowl(trial, 1000 * repeat + seed)

        study.optimize(SeededObjective(train_once), n_trials=30)
        best = np.inf
        for trial in study.trials:
            seeds = range(1000 * repeat, 1000 * repeat + 20)
            whole = np.mean([bowl(optuna.trial.FixedTrial(trial.params), seed) for seed in seeds])
            became += whole < best
            left += whole < best and trial.state == PRUNED
            trained += trial.user_attrs["n_seeds"]
            best = min(best, whole if trial.state == COMPLETE else np.inf)
    assert left / became < 0.03
    assert trained < 0.6 * 30 * 30 * 20


class Asked(BasePruner):
    """A pruner that reads a curve, and must not be asked."""

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        raise AssertionError(f"asked of trial {trial.number} of {study.study_name}")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_which_pruner_decides() -> None:
    points = [0.0, 1.0, 0.9, 0.8]

    def left(pruner: BasePruner | None, prune: bool = True) -> list[str]:
        study = study_of(points, pruner)
        study.optimize(SeededObjective(bowl, prune=prune), n_trials=4)
        return [trial.user_attrs["stopped"] for trial in study.trials if trial.state == PRUNED]

    assert len(left(Asked())) == len(left(None)) == 3
    assert left(NopPruner()) == left(WilcoxonPruner(), prune=False) == []
    wilcoxon = left(WilcoxonPruner(p_threshold=0.05, n_startup_steps=6))
    assert len(wilcoxon) == 3
    assert all("WilcoxonPruner" in reason for reason in wilcoxon)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_seed_without_a_number_ends_the_trial_and_is_never_averaged(bad: float, direction: str) -> None:
    def train_once(trial: Any, seed: int) -> float:
        return bad if trial.number == 1 and seed == 103 else bowl(trial, seed)

    study = study_of([0.5, 0.0, 0.6], direction=direction)
    objective = SeededObjective(train_once, seeds=range(100, 108), prune=False)
    study.optimize(objective, n_trials=3)
    lost = study.trials[1]
    assert lost.state == PRUNED
    assert lost.value is None
    assert lost.user_attrs["partial"]
    assert lost.user_attrs["stopped"] == f"seed 103 of trial 1 gave {bad}"
    assert study.best_trial.number != 1
    assert [trial.state for trial in study.trials] == [COMPLETE, PRUNED, COMPLETE]


def test_a_seed_that_raises_is_named_and_fails_the_trial() -> None:
    def train_once(trial: Any, seed: int) -> float:
        if trial.number == 1 and seed == 3:
            raise ValueError("singular matrix")
        return bowl(trial, seed)

    study = study_of()
    with pytest.raises(ValueError, match="singular matrix") as caught:
        study.optimize(SeededObjective(train_once, seeds=6), n_trials=3)
    assert caught.value.__notes__ == ["raised in seed 3 of trial 1"]
    study.optimize(SeededObjective(train_once, seeds=6), n_trials=2, catch=ValueError)
    assert [trial.state for trial in study.trials] == [
        COMPLETE,
        FAIL,
        *[trial.state for trial in study.trials[2:]],
    ]
    said = study.trials[1].user_attrs
    assert said["stopped"] == "seed 3 of trial 1 raised ValueError"
    assert said["partial"]
    assert "3" not in said["values"]


def test_a_trial_that_train_once_leaves_is_recorded_with_the_mean_of_its_seeds() -> None:
    def train_once(trial: Any, seed: int) -> float:
        if trial.number == 0 and seed == 2:
            raise optuna.TrialPruned
        return bowl(trial, seed)

    study = study_of()
    study.optimize(SeededObjective(train_once, seeds=6), n_trials=1)
    values = list(study.trials[0].user_attrs["values"].values())
    assert study.trials[0].state == PRUNED
    assert study.trials[0].value == (np.mean(values) if values else None)


def storage_of(path: Path) -> optuna.storages.RDBStorage:
    """A storage that gives a trial back whose process has died."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RDBStorage(
            f"sqlite:///{path}",
            heartbeat_interval=1,
            grace_period=2,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(
                inherit_intermediate_values=True
            ),
        )


def test_two_threads_share_a_database(tmp_path: Path) -> None:
    study = study_of(storage=f"sqlite:///{tmp_path / 'o.db'}")
    study.optimize(SeededObjective(bowl, seeds=6, startup=2), n_trials=6, n_jobs=2)
    assert len(study.trials) == 6
    for trial in study.trials:
        said = trial.user_attrs
        assert said["values"] == {
            seed: bowl(optuna.trial.FixedTrial(trial.params), int(seed)) for seed in said["values"]
        }
        assert (trial.state == COMPLETE) == (said["n_seeds"] == 6)
        assert trial.value == pytest.approx(np.mean(list(said["values"].values())))


def test_a_retried_trial_trains_what_is_missing() -> None:
    """The trial is what RetryHeartbeatStaleTrialCallback puts in the queue."""
    train_once, calls = counted(bowl)
    study = study_of([0.1])
    study.optimize(SeededObjective(train_once, seeds=8), n_trials=1)
    whole = study.trials[0]
    for kept in (3, 8):
        study.add_trial(
            optuna.create_trial(
                state=TrialState.WAITING,
                params=whole.params,
                distributions=whole.distributions,
                user_attrs={"seeds": list(range(8)), "partial": True, "stopped": "before it could say so"},
                intermediate_values=dict(list(whole.intermediate_values.items())[:kept]),
            )
        )
        calls.clear()
        study.optimize(SeededObjective(train_once, seeds=8), n_trials=1)
        seeds = {seed for _, seed in calls}
        assert seeds == set(range(8)) - set(list(whole.intermediate_values)[:kept])
        assert study.trials[-1].value == whole.value
        assert study.trials[-1].user_attrs == whole.user_attrs


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_study_seeded import bowl, storage_of, study_of
from handnet import SeededObjective

calls, hang = Path(sys.argv[1]) / "calls", sys.argv[2] == "hang"


def train_once(trial, seed):
    x = trial.suggest_float("x", -1, 1)
    with calls.open("a") as file:
        file.write(f"{{x}} {{seed}}\\n")
    if hang and len(calls.read_text().splitlines()) == 16:
        time.sleep(600)
    return bowl(trial, seed)


storage = storage_of(Path(sys.argv[1]) / "o.db")
points = [] if calls.exists() else [0.1, 0.2, 0.3]
study = study_of(points, storage=storage, study_name="s", load_if_exists=True)
while any(not trial.state.is_finished() for trial in study.get_trials()):
    study.optimize(SeededObjective(train_once, seeds=10, prune=False), n_trials=1)
"""


@pytest.mark.long
def test_a_study_killed_in_the_middle_of_a_trial_trains_no_seed_twice(tmp_path: Path) -> None:
    """But for the one that the kill interrupted: the 16th training, which is in the second trial."""
    command = [sys.executable, "-c", CHILD.format(tests=str(ROOT / "tests")), str(tmp_path)]
    calls = tmp_path / "calls"
    with subprocess.Popen([*command, "hang"], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not calls.exists() or len(calls.read_text().splitlines()) < 16:
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    time.sleep(3.5)  # past the grace period
    subprocess.run([*command, "go on"], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    trained = Counter(calls.read_text().splitlines())
    assert len(trained) == 30
    assert sum(trained.values()) == 31
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path / 'o.db'}")
    assert [trial.state for trial in study.trials] == [COMPLETE, FAIL, COMPLETE, COMPLETE]
    for trial in study.get_trials(states=[COMPLETE]):
        values = [bowl(optuna.trial.FixedTrial(trial.params), seed) for seed in range(10)]
        assert trial.value == np.mean(values)
        assert list(trial.user_attrs["values"].values()) == values


def test_the_winner_is_confirmed_on_fresh_seeds_which_are_trained_once() -> None:
    train_once, calls = counted(bowl)
    study = study_of()
    objective = SeededObjective(train_once, seeds=6)
    study.optimize(objective, n_trials=8)
    calls.clear()
    band = objective.confirm(study, seeds=range(1000, 1030))
    best = study.best_trial
    assert calls == [(best.number, seed) for seed in range(1000, 1030)]
    values = [bowl(optuna.trial.FixedTrial(best.params), seed) for seed in range(1000, 1030)]
    assert (band.low, band.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
    assert (band.n, band.centre("mean")) == (30, pytest.approx(np.mean(values)))
    calls.clear()
    assert objective.confirm(study, seeds=range(1000, 1031)).n == 31
    assert calls == [(best.number, 1030)]
    with pytest.raises(Refusal, match="seed 5 chose the winner"):
        objective.confirm(study, seeds=[5, 2000])


def test_a_lost_seed_of_a_confirmation_is_counted() -> None:
    def train_once(trial: Any, seed: int) -> float:
        return np.nan if seed == 1003 else bowl(trial, seed)

    study, objective = study_of(), SeededObjective(train_once, seeds=3)
    study.optimize(objective, n_trials=2)
    band = objective.confirm(study, seeds=range(1000, 1006))
    assert (band.n, band.diverged) == (5, 1)
    with pytest.raises(Refusal, match="fewer than two of 2 seeds"):
        objective.confirm(study, seeds=[1002, 1003])


def test_the_table_has_every_training_and_is_read_by_predictions() -> None:
    study, objective = study_of([0.0, 1.0, 0.05]), SeededObjective(bowl)
    study.optimize(objective, n_trials=3)
    frame = objective.to_frame(study)
    assert len(frame) == sum(trial.user_attrs["n_seeds"] for trial in study.trials)
    assert list(frame) == ["trial", "state", "part", "seed", "loss", "params_x"]
    first = frame[frame.trial == "trial 1"]
    assert set(first.state) == {"PRUNED"}
    assert set(first.params_x) == {1.0}
    assert dict(zip(map(str, first.seed), first.loss, strict=True)) == study.trials[1].user_attrs["values"]
    complete = Predictions(frame[frame.state == "COMPLETE"], model="trial", scores="loss")
    assert complete.models == ("trial 0", "trial 2")
    assert "paired t over the same 20" in str(complete.compare("trial 0", "trial 2"))
    assert list(objective.to_frame(study_of())) == ["trial", "state", "part", "seed", "loss"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seeds": 1}, "from 2, or two or more whole numbers, no two alike, but are 1"),
        ({"seeds": 0}, "two or more"),
        ({"seeds": None}, "two or more"),
        ({"seeds": [1, 1]}, "no two alike"),
        ({"seeds": "12"}, "two or more"),
        ({"seeds": [1, 2.5]}, "whole numbers"),
        ({"seeds": True}, "whole numbers"),
        ({"startup": 1}, "startup"),
        ({"p_threshold": 0}, "p_threshold"),
        ({"train_once": 3}, "train_once"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        SeededObjective(**{"train_once": bowl, **arguments})


def test_values_that_cannot_be_compared_are_refused() -> None:
    study = study_of()
    study.optimize(lambda trial: trial.suggest_float("x", -1, 1), n_trials=1)
    with pytest.raises(Refusal, match="trial 0 of this study was not repeated"):
        study.optimize(SeededObjective(bowl), n_trials=1)
    study = study_of()
    study.optimize(SeededObjective(bowl, seeds=3), n_trials=1)
    with pytest.raises(Refusal, match=r"other seeds \(0, 1, 2, not 0, 1, 2, 3\)"):
        study.optimize(SeededObjective(bowl, seeds=4), n_trials=1)
    with pytest.raises(Refusal, match="several directions"):
        optuna.create_study(directions=["minimize"] * 2).optimize(SeededObjective(bowl), n_trials=1)
    with pytest.raises(Refusal, match=r"called by study\.optimize"):
        SeededObjective(bowl, seeds=3)(study.best_trial)
    with pytest.raises(Refusal, match="no trial of this study is complete"):
        SeededObjective(bowl, seeds=3).confirm(study_of())


@pytest.mark.parametrize("given", [None, (1.0, 2.0), "x"])
def test_a_value_that_is_no_number_is_refused(given: Any) -> None:
    with pytest.raises(Refusal, match=r"one number, but gave .* in seed \d of trial 0"):
        study_of().optimize(SeededObjective(lambda *_: given, seeds=3), n_trials=1)


def test_a_training_that_reports_epochs_is_refused() -> None:
    def train_once(trial: Any, seed: int) -> float:
        for epoch in range(3):
            trial.report(1.0, epoch)
        return bowl(trial, seed)

    with pytest.raises(Refusal, match=r"trial 0 has values .* train_once must not call trial\.report"):
        study_of().optimize(SeededObjective(train_once, seeds=3), n_trials=1)
