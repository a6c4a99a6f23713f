"""python -m handnet VERB"""

from handnet.cli import run

run()
