"""Guided provisioning: steps as data, run by the wizard, by the command line and by the tests alike."""
