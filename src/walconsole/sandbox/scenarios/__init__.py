"""Scenarios as data, and what plays them."""
