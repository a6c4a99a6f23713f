"""How often bands hold and rules err, shown for the sizes of the default study."""

from handnet.bands.simulated import coverages, false_positives, false_positives_on_cases
from handnet.study.identity import make_problem
from handnet.study.reading import read
from handnet.study.screen import Screen


def simulate(studies: int, screen: Screen) -> None:
    """Show how often every band holds and every rule gives a false positive, at the default study's sizes.

    studies: how many are simulated."""
    settings = read({})
    parts, splits = make_problem(settings).parts, settings.rehearsal.splits
    n, train = parts.test.n, parts.train.y
    positives = round(n * float(train.mean()))
    with screen.progress("simulated studies", studies, 0) as bar:
        sizes = (positives, n - positives, settings.confirm.seeds, splits)
        simulated = coverages(*sizes, 0, studies, lambda: bar.advance(1, "bands"))
    simulated += false_positives(splits, n / len(train), 0, 10 * studies)
    simulated += false_positives_on_cases(n, positives, 0.97, 0, 2 * studies)
    screen.simulated(simulated)
