"""How often bands hold and rules err, shown for the sizes of the default study."""

from handnet.bands.compare import ALPHA
from handnet.bands.equal_models import false_positives_on_cases
from handnet.bands.null import FalseAlarms, false_alarms
from handnet.bands.simulated import Simulated, coverages, coverages_over_groups
from handnet.bands.worlds import Classes, Number, coverages_of_scores
from handnet.study.false_alarms import LAYOUTS, as_csv, layout_of, measure, rate
from handnet.study.identity import make_problem
from handnet.study.naming import DOES, Naming
from handnet.study.naming import measure as measure_naming
from handnet.study.reading import read
from handnet.study.screen import Screen

WORLDS = {
    "3 x 38 cases": Classes([38, 38, 38], 3.8),
    "38 groups of 3 cases, 3 classes": Classes([39, 39, 36], 2.6, 3),
    "114 numbers": Number(114),
    "114 numbers, heavy tails": Number(114, 4),
}
STORIES = 20  # studies whose bands are simulated for each whose stories are
TABLES = 5  # with nothing to find, simulated for each study whose bands are


def simulate(studies: int, screen: Screen) -> None:
    """Show how often every band holds and every rule gives a false alarm, at the default study's sizes.

    studies: how many are simulated."""
    settings = read({})
    problem, splits = make_problem(settings), settings.rehearsal.splits
    n, train = problem.parts.test.n, problem.parts.train.y
    positives = round(n * float(train.mean()))
    with screen.progress("simulated studies", studies, 0) as bar:
        sizes = (positives, n - positives, settings.confirm.seeds, splits)
        rows = coverages(*sizes, 0, studies, lambda: bar.advance(1, "bands"))
    tables = TABLES * studies
    with screen.progress("simulated tables", tables, 0) as bar:
        found = list(false_alarms(layout_of(problem, splits), tables, 0, lambda: bar.advance(1, "rules")))
    rows += [_simulated(row) for row in found]
    rows += false_positives_on_cases(n, positives, 0.97, 0, studies=2 * studies)
    rows += coverages_over_groups(positives, n - positives, 0, studies=2 * studies)
    with screen.progress("simulated studies of other tasks", studies * len(WORLDS), 0) as bar:
        for setting, world in WORLDS.items():
            rows += coverages_of_scores(world, setting, 0, studies, tick=lambda: bar.advance(1, "bands"))
    stories = max(2, studies // STORIES)
    with screen.progress("simulated stories", stories, 0) as bar:
        named = measure_naming(stories, lambda: bar.advance(1, "stories"))
    rows += [_named(row) for row in named if row.does != DOES[0]]
    screen.simulated(rows)


def _named(row: Naming) -> Simulated:
    """How often a story names a family that should never be, as a row of the screen's table."""
    return Simulated(f"named: {row.does}", "family of a story", 0.0, row.rate, row.studies, row.error)


def _simulated(row: FalseAlarms) -> Simulated:
    """False alarms as a row of the screen's table."""
    share = rate(row).centre("share")
    assumed = row.layout.test / row.layout.rows
    setting = f"{row.score}; correlation {row.correlation:.2f}, n_test / n {assumed:.2f}"
    error = max(share * (1 - share), 0.25 / row.tables) ** 0.5 / row.tables**0.5
    return Simulated(row.rule, setting, ALPHA, share, row.tables, error)


def remake(tables: int, screen: Screen) -> None:
    """Print the table of false alarms that is shipped, measured anew. tables: simulated for each layout."""
    with screen.progress("simulated tables", tables * len(LAYOUTS), 0) as bar:
        rows = measure(tables, lambda: bar.advance(1, "rules"))
    screen.print(as_csv(rows).rstrip())
