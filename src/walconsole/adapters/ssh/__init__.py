"""OpenSSH: the connection, its shells, host keys and identities."""
