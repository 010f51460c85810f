"""Real servers for the tests: on loopback, in a private folder, gone however the tests ended."""
