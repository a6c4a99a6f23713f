"""python -m experiments VERB"""

from experiments.cli import run

run()
