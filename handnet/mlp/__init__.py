"""The network by hand, in NumPy: forward, chain rule, optimizer, training loop.

Read network.py first (each step with the same step backward under it, the steps put together, the
optimizers), then fit.py (the loop over epochs and batches). compiled.py and keras.py are the same arithmetic
in Numba and in Keras.

Every array has a leading axis of R replicas, so that R networks train at once and never mix. To follow the
chapter, read every shape with R = 1.
"""
