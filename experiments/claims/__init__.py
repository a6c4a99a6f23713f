"""The engine of all claims: a quantity, the region in which a claim is right, a band, and the verdict."""
