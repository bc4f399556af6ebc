"""Commands of `ntk-claims` with a file of their own; the parser calls their `add(commands)`."""
