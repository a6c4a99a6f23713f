"""The sentences of the chapter, each tried as a claim."""
