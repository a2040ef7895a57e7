"""mgsweep: distributed hyperparameter sweeps for model guidance."""

__version__ = "0.1.0"
