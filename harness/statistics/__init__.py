"""Statistics over seeds: intervals, equivalence, power, multiplicity.

Import the module that is needed: `multiplicity` costs a second, because it imports statsmodels.
"""
