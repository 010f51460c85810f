"""Probes that turn remote answers into facts, and the poller that runs them at their own cadence."""
