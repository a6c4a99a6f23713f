"""python -m experiments VERB"""

import sys

from experiments.cli import main

sys.exit(main())
