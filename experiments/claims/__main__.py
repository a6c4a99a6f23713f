"""The command of the chapter's claims: python -m experiments.claims"""

from pathlib import Path

from handnet.command import Whole, command, option, run


@command("experiments.claims")
@option("--divisions", type=Whole(10, 1000), default="100", help="fresh divisions (100)")
def claims(divisions: int, mlruns: str) -> None:
    """The sentences of the chapter, each tried as a claim, with a verdict and its bands.

    They are tried on fresh divisions of the train and validation rows; the sealed test is not touched. Four
    minutes on two cores.
    """
    from experiments.chapter.rows import OpenRows
    from experiments.chapter.trials import inquiry
    from experiments.claims.inquiry import run_inquiry
    from handnet.study.identity import make_problem
    from handnet.study.reading import read

    run_inquiry(inquiry(OpenRows(make_problem(read({})), divisions)), Path(mlruns))


if __name__ == "__main__":
    run(claims)
