"""The running program: the loop, signals, the terminal, clean-up, the exit code, and the wiring.

The only place that knows adapters, observation and screens at once.
"""
