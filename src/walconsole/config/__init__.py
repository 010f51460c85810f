"""What the operator says before anything connects: command line, environment, config.toml, defaults.

`load` reads the file strictly, `choose` finds which profile is meant, `resolve` puts the layers
together; every value keeps where it came from.
"""
