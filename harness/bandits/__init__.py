"""Contextual bandits, and policies that explore by the uncertainty of a network in its kernel regime.

problems     the bandits: contexts, expected and observed rewards
policies     how much each policy explores, by name
posterior    regression with the network's kernel on what each policy has seen
neural_ucb   the game, round by round, and its regret
"""
