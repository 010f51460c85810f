"""Drills and recoveries on another host than production's: what it must have, its keys, its steps."""
