"""One training loop, for pretraining and fine-tuning, in one process or many, killed and resumed.

``train`` is the loop, ``Batches`` says which examples are learned from when, ``TrainingConfig``
holds every number, ``History`` what was noted on the way.
"""

from chapter10.training.batches import Batch, Batches
from chapter10.training.config import TrainingConfig
from chapter10.training.evaluation import heldout_loss, heldout_means
from chapter10.training.gradients import Losses, LossFunction
from chapter10.training.history import History
from chapter10.training.loop import BatchSource, TrainingError, make_optimizer, train

__all__ = [
    "Batch",
    "BatchSource",
    "Batches",
    "History",
    "LossFunction",
    "Losses",
    "TrainingConfig",
    "TrainingError",
    "heldout_loss",
    "heldout_means",
    "make_optimizer",
    "train",
]
