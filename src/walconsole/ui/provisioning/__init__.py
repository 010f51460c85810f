"""The provisioning screen: the steps, the gate, the run that outlives it."""
