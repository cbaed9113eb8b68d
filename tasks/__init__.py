"""The work: one file per stage, each runnable as ``tasks/python -m tasks.<stage>``."""
