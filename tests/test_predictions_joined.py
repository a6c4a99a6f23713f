"""Results of several sources as one: names, order of cases, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from handnet.messages import Refusal
from handnet.predictions.form import Cases, Predicted, Results
from handnet.predictions.joined import joined
from handnet.tasks import task_of

Y = np.array([1, 0, 1], np.int8)
CASES = Cases("study", "test", np.array(["a", "b", "c"]), Y)
TURNED = Cases("study", "test", np.array(["c", "a", "b"]), Y[[2, 0, 1]])
NET = Predicted("net", CASES, ("1",), np.array([[0.1, -0.2, 0.3]]))
OTHER = Predicted("net", TURNED, ("5",), np.array([[3.0, 1.0, 2.0]]))
TREE = Predicted("tree", CASES, (), np.array([[1.0, -1.0, 2.0]]))
HERE = Results("here", task_of(2), ("no", "yes"), (NET, TREE))
THERE = Results("there", task_of(2), ("no", "yes"), (OTHER, TREE))


def test_names_that_collide_have_their_source_before_them() -> None:
    both = joined([HERE, THERE])
    assert both.models == ("here: net", "tree", "there: net")
    assert both.source == "here and there"
    assert both.notes == ("All that tree says in there is what it says in here, so it is one model.",)


def test_the_same_cases_stand_in_one_order() -> None:
    one = joined([HERE, THERE]).of("there: net")["study"]
    assert one.cases is CASES
    assert one.outputs.tolist() == [[1.0, 2.0, 3.0]]


def test_models_that_say_something_else_are_two() -> None:
    tree = replace(TREE, outputs=TREE.outputs + 1e-15)
    assert "there: tree" in joined([HERE, replace(THERE, predicted=(tree,))]).models


def test_beside_labels_alone_the_others_are_labels_too() -> None:
    hard = replace(OTHER, model="hard", outputs=np.sign(OTHER.outputs))
    both = joined([HERE, replace(THERE, predicted=(hard,), hard=True)])
    assert both.hard
    assert both.of("net")["study"].outputs.tolist() == [[1.0, -1.0, 1.0]]
    assert "here" in both.notes[0]


WRONG = replace(OTHER, cases=replace(TURNED, y=Y[[0, 1, 2]]))
REFUSED = {
    "case 'a' is yes in here and no in there": replace(THERE, predicted=(WRONG,)),
    "one task": replace(THERE, classes=("no", "maybe")),
    "here tells the classes no, yes and there a number": replace(THERE, task=task_of(0), classes=()),
    "called 'here'": replace(THERE, source="here"),
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_is_not_of_one_table_is_refused(says: str) -> None:
    with pytest.raises(Refusal, match=says):
        joined([HERE, REFUSED[says]])
