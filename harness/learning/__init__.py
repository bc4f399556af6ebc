"""Learning curves: samples of a task, the test error of networks and of their kernels against the number of samples.

`tasks` draws the samples, `curves` trains and regresses. A new task is one function in `tasks.TASKS`.
"""

from harness.learning.curves import kernel_curves, network, network_curves, train
from harness.learning.ridge import ridge_errors
from harness.learning.tasks import Samples, samples

__all__ = ["Samples", "kernel_curves", "network", "network_curves", "ridge_errors", "samples", "train"]
