"""The command of the published results: python -m experiments.published"""

from pathlib import Path

from handnet.command import Whole, command, option, run

LEFT = "no page is written before its end; the same command begins anew"


@command("experiments.published", LEFT)
@option("--divisions", type=Whole(20, 1000), default="100", help="fresh divisions of each protocol (100)")
def published(divisions: int, mlruns: str) -> None:
    """Published results and the ways to divide the table, each tried on its own protocol, with bands.

    What others printed about the Wisconsin table, the four ways in which the chapter may have divided it,
    and its split seed among 200 others, each with a verdict.

    All rows are divided anew, so the test of the default study has to be open: make that study first. The
    ledger then counts all rows as read. A few minutes on two cores.
    """
    from experiments.claims.inquiry import run_inquiry
    from experiments.published.rows import all_rows
    from experiments.published.trials import inquiry, opened
    from handnet.study.identity import make_problem
    from handnet.study.reading import read
    from handnet.study.sealed import Ledger

    home, problem = Path(mlruns), make_problem(read({}))
    opening = opened(Ledger(home), problem)
    run_inquiry(inquiry(all_rows(problem, opening, divisions)), home)


if __name__ == "__main__":
    run(published)
