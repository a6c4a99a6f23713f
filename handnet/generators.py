"""The generators that belong to the whole process, which other people's code may draw from.

Nothing of this project draws from them: its own numbers come from draws.py.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def global_generators(seed: int) -> Iterator[None]:
    """While entered, the global generators of `random` and numpy.random start from this seed, 0 to 2^32 - 1.

    They are given back afterwards as if nothing had been drawn from them. Code that forgets to take a seed is
    then as repeatable as code that takes one."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - theirs, not ours
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the same
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002 - the same
