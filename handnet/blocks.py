"""Whole blocks of rows set aside: rows of one group, or with equal measurements, fall into one part."""

import numpy as np
from sklearn.utils import check_random_state, shuffle

from handnet.data import Array

MAX_ORDERS = 20  # of blocks, drawn when blocks are set aside


def set_aside(blocks: Array, labels: Array | None, share: float, seed: int) -> Array:
    """(n,) bool: the rows of whole blocks that make up `share` of the rows, to within half of the largest.

    blocks: (n,) int, the block of each row; labels: (n,) int, the class of each from 0; None takes all rows
    for one class. The order of blocks is drawn by `seed`. It matters where blocks are few, so several are
    drawn and the one is kept whose classes come nearest to their shares.
    """
    names, place = np.unique(blocks, return_inverse=True)
    labels = np.zeros(len(blocks), dtype=int) if labels is None else labels.astype(int)
    k = int(labels.max()) + 1
    counts = np.bincount(place * k + labels, minlength=len(names) * k).reshape(-1, k)
    classes = counts.astype(np.float64)
    wanted = share * classes.sum(axis=0)
    draws = check_random_state(seed)
    count = max(1, min(MAX_ORDERS, 5000 // len(names)))
    orders = [shuffle(np.arange(len(names)), random_state=draws) for _ in range(count)]
    candidates = [_take_blocks(order, classes, wanted) for order in orders]
    distances = [np.abs(classes[taken].sum(axis=0) - wanted).sum() for taken in candidates]
    return np.asarray(candidates[int(np.argmin(distances))][place])


def _take_blocks(order: Array, classes: Array, wanted: Array) -> Array:
    """(blocks,) bool: those taken in this order (blocks,), until each class has about the rows wanted (k,).

    classes: (blocks, k), how many rows of each class a block has. The next block comes from the class that
    lacks the largest share, the class of most of its rows; it is taken if that brings the size nearer to what
    is wanted.
    """
    most = classes.argmax(axis=1)
    queues = [order[most[order] == label].tolist() for label in range(classes.shape[1])]
    # Plain numbers: a loop over the blocks is many times faster with them than with arrays of k.
    rows, goals, sizes = classes.tolist(), wanted.tolist(), classes.sum(axis=1).tolist()
    has, size, goal = [0.0] * len(goals), 0.0, sum(goals)
    taken = []
    while waiting := [label for label, queue in enumerate(queues) if queue]:
        lacks = [(goal - got) / goal if goal > 0 else -np.inf for goal, got in zip(goals, has, strict=True)]
        block = queues[max(waiting, key=lacks.__getitem__)].pop()
        if abs(size + sizes[block] - goal) < abs(size - goal):
            taken.append(block)
            size += sizes[block]
            has = [got + more for got, more in zip(has, rows[block], strict=True)]
    return np.isin(np.arange(len(classes)), taken)
