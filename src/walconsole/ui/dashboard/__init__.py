"""The dashboard: the verdict, and a pane for each source."""
