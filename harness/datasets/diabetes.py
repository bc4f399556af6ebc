"""Diabetes: a regression on real data, by Efron, Hastie, Johnstone, Tibshirani 2004 ("Least Angle
Regression").

442 patients. Ten variables: age, sex, body mass index, blood pressure and six serum measurements.
The target is a measure of how far the disease went on in a year. Embedded, as scikit-learn ships
it.
"""

import numpy as np

from harness.datasets import Dataset
from harness.datasets._files import File, locate, read
from harness.datasets._places import embedded

FILES = (
    File(
        "diabetes_data_raw.csv",
        "86badf50b4f9436ddd1e497dc0ae1b93166f8120221ee7dca4634fe849f3be7c",
    ),
    File(
        "diabetes_target.csv",
        "244713a551f62a291a354212d8a048adec6cb1244b2bc44e66a0698f5006d26d",
    ),
)


def load() -> Dataset:
    """The variables as they were measured, neither centred nor scaled, (442, 10), and the target,
    25 to 346.

    Raises:
        DatasetUnavailable, DatasetCorrupted: if the embedded files are not there, or not the
            published ones.

    >>> data = load()
    >>> data.x[0, :4], data.labels[:3]
    (array([ 59. ,   2. ,  32.1, 101. ], dtype=float32), array([151.,  75., 141.]))
    """
    folder = embedded("diabetes")
    texts = [
        read(locate(folder, file), file).decode("ascii").splitlines() for file in FILES
    ]
    x, target = np.loadtxt(texts[0], dtype=np.float32), np.loadtxt(texts[1])
    return Dataset(
        "diabetes", x, target, classes=0, source="embedded", sha256=FILES[0].sha256
    )
