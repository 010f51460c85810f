"""The configuration screen's rows, as pure functions: what the panes of screen.py show."""
