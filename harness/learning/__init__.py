"""Computations of one paper that wait to be moved to it."""
