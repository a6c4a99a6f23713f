"""Published results on the Wisconsin table, each tried on its own protocol."""
