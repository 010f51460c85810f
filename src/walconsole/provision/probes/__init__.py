"""Probes that dig deeper than what is read all the time: steps that change nothing that stays."""
