"""Commands of `ntk-claims` that have a file of their own; each has `add(commands)`, which the
parser calls.
"""
