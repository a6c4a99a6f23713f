"""The network by hand, in NumPy: forward, chain rule, optimizer, training loop.

Read in this order: functions.py (each step and, right under it, the same step backward), network.py (the
steps put together), optimizers.py (what is done with a slope), fit.py (the loop over epochs and batches).

Every array carries a leading axis of R replicas, so R networks train at once without ever mixing. To follow
the chapter, read every shape with R = 1.
"""
