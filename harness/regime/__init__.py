"""Is a network of one's own in the kernel regime? What `ntk-claims regime` measures and says.

network.py      the user's file becomes a network
data.py         a data set becomes training and test samples of each seed
recipe.py       how the network is trained, and in words
descent.py      the same training, of the linearised network, with its kernel
experiment.py   what is measured of each seed, in a worker
questions.py    what these numbers answer, held against the margin
widths.py       how they fall with width, and with the number of samples
study.py        all of it, and its controls, over the sweep's store
page.py         the report
"""
