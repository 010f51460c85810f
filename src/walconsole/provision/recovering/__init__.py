"""A recovery, as steps: to the pause, on from there, or back."""
