"""Estimators and pipelines of scikit-learn's kind as models."""

import pickle
from typing import Any, ClassVar

import cloudpickle
import numpy as np
import pytest
from models_contract import ModelContract, globals_now, part, rows
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from handnet import Refusal, Table, split, wine, wisconsin
from handnet.bands.seeds import seed_bands
from handnet.models.model import Failed, Model, log_odds, logits
from handnet.models.named import make_model
from handnet.tasks import task_of

TWO, THREE, NUMBER = task_of(2), task_of(3), task_of(0)


def columns() -> Pipeline:
    """A pipeline of the user's own for a table with numbers, gaps and text."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    each = [
        ("numbers", numbers, make_column_selector(dtype_include="number")),
        ("text", OneHotEncoder(), ["site"]),
    ]
    return Pipeline([("columns", ColumnTransformer(each)), ("clf", RandomForestClassifier(10))])


class TestForest(ModelContract):
    params: ClassVar = {"n_estimators": 10, "max_depth": 4}

    def model(self) -> Model:
        return make_model(RandomForestClassifier())


class TestPipelineOnTheRawTable(ModelContract):
    classes, text, params = (
        3,
        True,
        {"clf__max_depth": 4, "columns__numbers__simpleimputer__strategy": "median"},
    )

    def model(self) -> Model:
        return make_model(columns(), inputs="raw")


class TestBoostedNumbers(ModelContract):
    classes, params = 0, {"n_estimators": 20}

    def model(self) -> Model:
        return make_model("sklearn:sklearn.ensemble.GradientBoostingRegressor", fixed={"subsample": 0.5})


class TestDecisionsOfManyClasses(ModelContract):
    classes, params, whole = 3, {"alpha": 0.01}, False

    def model(self) -> Model:
        return make_model(SGDClassifier)


class TestOneThatForgetsItsSeed(ModelContract):
    """It draws from NumPy's global generator, and has no random_state to be set."""

    def model(self) -> Model:
        return make_model(Forgetful())

    def test_2_a_seed_does_not_depend_on_its_company(self) -> None:
        assert not self.model().seeded
        super().test_2_a_seed_does_not_depend_on_its_company()


class Forgetful(ClassifierMixin, BaseEstimator):
    def fit(self, X: Any, y: Any) -> "Forgetful":
        self.classes_ = np.unique(y)
        X += 1  # and writes to what it is given
        self.slope_ = X.T @ (y - y.mean()) + np.random.normal(size=X.shape[1])  # noqa: NPY002 - its fault
        self.mean_ = X.mean(axis=0) - 1
        return self

    def decision_function(self, X: Any) -> Any:
        return ((X - self.mean_) * self.slope_).sum(axis=1)

    def predict(self, X: Any) -> Any:
        return self.decision_function(X) > 0


def test_a_forests_bands_are_those_of_a_loop_over_random_state() -> None:
    parts, seeds = split(wisconsin()), [3, 1, 4, 15, 9]
    model = make_model("sklearn:sklearn.ensemble.RandomForestClassifier")
    outputs = model.fit(parts.train, parts.val, {"n_estimators": 15}, seeds, TWO).outputs(parts.val.X)
    shares, accuracies = [], []
    for seed in seeds:
        forest = RandomForestClassifier(n_estimators=15, random_state=seed).fit(parts.train.X, parts.train.y)
        shares.append(forest.predict_proba(parts.val.X)[:, 1])
        accuracies.append(np.mean((shares[-1] > 0.5) == parts.val.y))
    p = np.clip(shares, 1e-12, 1 - 1e-12)
    np.testing.assert_array_equal(outputs, np.log(p) - np.log1p(-p))
    graded = TWO.grade(outputs, parts.val.y)["accuracy"]
    assert seed_bands(graded) == seed_bands(np.array(accuracies))
    assert len(set(accuracies)) > 1


def test_every_random_state_of_a_pipeline_is_the_seed() -> None:
    parts = split(wine())

    def pipeline(seed: int | None) -> Pipeline:
        chosen = SelectFromModel(ExtraTreesClassifier(10, random_state=seed), max_features=4)
        boosted = AdaBoostClassifier(
            RandomForestClassifier(3, random_state=seed), n_estimators=3, random_state=seed
        )
        return make_pipeline(chosen, boosted)

    model = make_model(pipeline(None))
    outputs = model.fit(parts.train, parts.val, {}, [8, 2], THREE).outputs(parts.val.X)
    for seed, of_seed in zip([8, 2], outputs, strict=True):
        by_hand = pipeline(seed).fit(parts.train.X, parts.train.y).predict_proba(parts.val.X)
        np.testing.assert_array_equal(of_seed, np.log(np.clip(by_hand, 1e-12, 1)))
    # A seed that the reader has written into it is one seed among those of the study, and not the last word.
    fixed = make_model(pipeline(77)).fit(parts.train, parts.val, {}, [8, 2], THREE)
    np.testing.assert_array_equal(fixed.outputs(parts.val.X), outputs)


@pytest.mark.parametrize(
    ("estimator", "seeded"),
    [
        (GaussianNB(), False),
        (LinearRegression(), False),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), False),
        (HistGradientBoostingClassifier(), True),
        (OneVsRestClassifier(SGDClassifier()), True),
        (GridSearchCV(RandomForestClassifier(), {"max_depth": [2]}), True),
        (GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [2]}, cv=KFold(3)), False),
        (GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [2]}, cv=KFold(3, shuffle=True)), True),
        (GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [2]}, cv=ShuffleSplit(3)), True),
        (GridSearchCV(Pipeline([("clf", GaussianNB())]), {"clf": [SVC()]}), True),
        (GridSearchCV(Pipeline([("clf", GaussianNB())]), {"clf": [KNeighborsClassifier()]}), False),
    ],
)
def test_what_has_no_random_state_has_no_seed(estimator: Any, seeded: bool) -> None:
    assert make_model(estimator).seeded is seeded


def test_what_is_random_in_the_values_of_parameters_is_the_seed() -> None:
    table = rows(2, n=90)
    train, val, seeds = part(table, 0, 60), part(table, 60), range(5)

    def search(seed: int | None) -> GridSearchCV:
        grid = {"n_neighbors": [1, 3, 5, 7, 15]}
        return GridSearchCV(KNeighborsClassifier(), grid, cv=KFold(3, shuffle=True, random_state=seed))

    def grown(seed: int | None) -> GridSearchCV:
        trees = [RandomForestClassifier(2, random_state=seed), ExtraTreesClassifier(2, random_state=seed)]
        return GridSearchCV(Pipeline([("clf", GaussianNB())]), {"clf": trees}, cv=3)

    for made in (search, grown):
        given = made(None)
        outputs = make_model(given).fit(train, val, {}, list(seeds), TWO).outputs(val.X)
        by_hand = [made(seed).fit(train.X, train.y).predict_proba(val.X)[:, 1] for seed in seeds]
        np.testing.assert_array_equal(outputs, log_odds(np.array(by_hand)))
        assert len(np.unique(outputs, axis=0)) > 1
    assert given.param_grid["clf"][0].random_state is None  # the reader's own objects stay as they are


def test_a_function_makes_its_estimator_once_and_silently(capsys: pytest.CaptureFixture[str]) -> None:
    made, states = [], globals_now()

    def make() -> SVC:
        print("a word on stdout")
        made.append(np.random.normal())  # noqa: NPY002 - its fault
        return SVC(C=2 + made[-1])

    model = make_model(make)
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    model.check({}, TWO)
    outputs = model.fit(train, val, {}, [0, 1], TWO).outputs(val.X)
    assert model.seeded
    assert "stands in" in model.notes[0]
    assert len(made) == 1
    again = pickle.loads(cloudpickle.dumps(model)).fit(train, val, {}, [0], TWO).outputs(val.X)
    np.testing.assert_array_equal(again[0], outputs[0])
    assert globals_now() == states
    assert capsys.readouterr().out == ""


def test_a_function_that_fails_to_make_one_is_refused() -> None:
    with pytest.raises(Refusal, match=r"fails makes no estimator: ZeroDivisionError: .*zero\.$"):
        make_model(fails)


def fails() -> Any:
    return 1 / 0


@pytest.mark.parametrize(
    ("estimator", "classes", "params", "sentence"),
    [
        (SVC(), 2, {"gama": 1}, "SVC has no parameter 'gama': did you mean gamma?"),
        (
            columns(),
            2,
            {"clf__max_dept": 1},
            "has no parameter 'clf__max_dept': did you mean clf__max_depth?",
        ),
        (columns(), 2, {"cls": 1}, "did you mean clf?"),
        (
            SVC(),
            2,
            {"random_state": 1},
            "random_state of SVC is each seed of the study in turn; leave it out.",
        ),
        (
            columns(),
            2,
            {"clf__random_state": 1},
            "clf__random_state of ColumnTransformer+RandomForestClassifier",
        ),
        (
            SVC(),
            0,
            {},
            "SVC tells classes apart, and the target of this table is a number; take a regressor.",
        ),
        (Ridge(), 3, {}, "Ridge guesses a number, and the target of this table is one of 3 classes; take a"),
        (KMeans(), 2, {}, "KMeans is a clusterer, and the target of this table is one of 2 classes"),
        (StandardScaler(), 2, {}, "StandardScaler predicts nothing"),
        (SVC(decision_function_shape="ovo"), 3, {}, "decision_function_shape of SVC must be 'ovr'"),
    ],
)
def test_what_it_cannot_learn_is_refused_before_it_is_trained(
    estimator: Any, classes: int, params: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        make_model(estimator).check(params, task_of(classes))
    assert sentence in refusal.value.sentence


def test_a_parameter_of_a_step_is_one_of_the_step_it_becomes() -> None:
    model = make_model(columns(), inputs="raw")
    params = {"clf__C": 0.3, "clf": LogisticRegression()}
    model.check(params, TWO)
    assert model.estimator(params).named_steps["clf"].C == 0.3  # type: ignore[attr-defined]
    assert params["clf"].C == 1
    with pytest.raises(Refusal, match="no parameter 'clf__C'"):
        model.check({"clf__C": 0.3}, TWO)


class Keywords(GaussianNB):
    def __init__(self, priors: Any = None, **more: Any) -> None:
        super().__init__(priors=priors)
        self.more = more

    def set_params(self, **params: Any) -> "Keywords":
        self.more |= params
        return self


def test_an_estimator_that_takes_any_keyword_may_be_given_one() -> None:
    make_model(Keywords).check({"depth": 3}, TWO)


@pytest.mark.parametrize(
    ("estimator", "note"),
    [(GaussianNB(), None), (LinearSVC(), "decision function"), (NearestCentroid(), None), (Ridge(), None)],
)
def test_a_stand_in_for_probabilities_is_told(estimator: Any, note: str | None) -> None:
    notes = make_model(estimator).notes
    assert (not notes) if note is None else (note in notes[0])


class Labels(ClassifierMixin, BaseEstimator):
    """It gives labels alone."""

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong

    def fit(self, X: Any, y: Any) -> "Labels":
        self.n_features_in_, self.classes_ = X.shape[1], np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        labels = np.where(X[:, 0] > 0, 1, 0).astype(float)
        return {"few": labels[1:], "nan": labels * np.nan, "seven": labels + 6, "text": ["a"] * len(X)}.get(
            self.wrong, labels
        )


def test_labels_stand_in_where_nothing_else_is_given() -> None:
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    model = make_model(Labels())
    assert "labels alone" in model.notes[0]
    outputs = model.fit(train, val, {}, [0], TWO).outputs(val.X)
    np.testing.assert_array_equal(outputs, [np.where(val.X[:, 0] > 0, 1.0, -1.0)])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            "few",
            "predict of Labels must give labels of the shape (20,) or (20, 1), but gave an array of the shape"
            " (19,).",
        ),
        ("nan", "predict of Labels must give finite labels, but gave NaN or infinity in 20 of 20 rows."),
        ("seven", "predict of Labels must give labels from 0 to 1, but gave 6 in 20 of 20 rows."),
        ("text", "predict of Labels must give labels, but gave something else, of the type list."),
    ],
)
def test_outputs_that_are_none_are_told_in_a_sentence(wrong: str, sentence: str) -> None:
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    fitted = make_model(Labels()).fit(train, val, {"wrong": wrong}, [0], TWO)
    with pytest.raises(Failed) as failed:
        fitted.outputs(val.X)
    assert str(failed.value) == sentence


def test_weights_reach_the_last_step() -> None:
    train, val = part(rows(2), 0, 40), part(rows(2), 40)
    weight = np.where(train.y == 1, 3.0, 1.0)
    weighted = Table(train.X, train.y, weight)
    nested = make_pipeline(StandardScaler(), Pipeline([("inner", LogisticRegression())]))
    outputs = make_model(nested).fit(weighted, val, {}, [0], TWO).outputs(val.X)
    scaler = StandardScaler().fit(train.X)
    by_hand = LogisticRegression().fit(scaler.transform(train.X), train.y, sample_weight=weight)
    p = by_hand.predict_proba(scaler.transform(val.X))[:, 1]
    np.testing.assert_array_equal(outputs, [log_odds(p)])
    with pytest.raises(Refusal, match="KNeighborsClassifier takes no weights of rows"):
        make_model(KNeighborsClassifier()).fit(weighted, val, {}, [0], TWO)


@pytest.mark.parametrize("estimator", [GaussianNB(), RidgeClassifier(), SVC()])
@pytest.mark.parametrize("left", [[0, 2], [1, 2]])
def test_a_class_that_no_train_row_has_is_never_called(estimator: Any, left: list[int]) -> None:
    train, val = part(rows(3), 0, 40), part(rows(3), 40)
    some = Table(train.X[np.isin(train.y, left)], train.y[np.isin(train.y, left)])
    outputs = make_model(estimator).fit(some, val, {}, [0], THREE).outputs(val.X)[0]
    trained = estimator.fit(some.X, some.y)
    np.testing.assert_array_equal(outputs.argmax(axis=1), trained.predict(val.X))
    if isinstance(estimator, GaussianNB):
        np.testing.assert_array_equal(outputs[:, left], logits(trained.predict_proba(val.X)))
