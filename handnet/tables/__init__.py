"""Tables of one's own: from a file, however it is written, to a Dataset; see `dataset.read_table`."""
