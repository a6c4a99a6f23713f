"""What the chapter says, tried: each claim an experiment whose answer comes with its band."""
