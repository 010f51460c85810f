"""The ways by which a watcher tells somebody: HTTP, mail, a program of the operator's."""
