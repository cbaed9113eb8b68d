"""What sweep, ablate and curve share: the figure they go by, models compared over seeds, pages of what was found."""
