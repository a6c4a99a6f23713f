"""The command of the walk: python -m experiments.walk"""

from pathlib import Path

from handnet.command import Whole, command, option, run
from handnet.draws import LARGEST_SEED


@command("experiments.walk")
@option(
    "--id",
    metavar="CASE",
    help="a train or validation case; default: the train case the network is most wrong about",
)
@option("--seed", type=Whole(0, LARGEST_SEED), default="0", help="of the network (0)")
def walk(id: str | None, seed: int, mlruns: str) -> int:
    """The network by hand with every number in view, then one patient through all its weights.

    First the chapter's network of one hidden unit: every number exact, beside what the chapter prints, and
    beside every slope the finite difference it must equal. Then the same for one patient of the Wisconsin
    table through all 641 weights of a network of the chapter's recipe.

    It takes seconds, and is also written as a page, walk/walk.html. Train and validation cases only: the test
    part is sealed. Exit codes: 0 every slope agrees, 1 one does not, 2 not understood.

      python -m experiments.walk                     the train case that network is most wrong about
      python -m experiments.walk --id 135            another one
      python -m experiments.walk --id 135 --seed 3   through the network of another seed
    """
    from experiments.walk import walk as take
    from experiments.walk.screen import Lesson, write_walk
    from handnet.splits import split
    from handnet.study.reading import load, read

    settings = read({})
    data = load(settings)
    lesson = take(data, split(data, **vars(settings.split)), id, seed)
    page = write_walk(lesson, Path(mlruns) / "walk")
    Lesson().show(lesson, str(page))
    return 0 if lesson.agrees else 1


if __name__ == "__main__":
    run(walk)
