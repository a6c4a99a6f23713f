"""The network by hand, in NumPy: forward, chain rule, optimizer, training loop.

Read in this order: network.py (each step and, right under it, the same step backward; the steps put
together; what is done with a slope), then fit.py (the loop over epochs and batches). compiled.py and keras.py
are the same arithmetic in Numba and in Keras.

Every array carries a leading axis of R replicas, so R networks train at once without ever mixing. To follow
the chapter, read every shape with R = 1.
"""
