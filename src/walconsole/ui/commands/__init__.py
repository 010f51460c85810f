"""The screen of the commands that the console ran."""
