"""The running program: the loop, signals, the terminal, clean-up, its log."""
