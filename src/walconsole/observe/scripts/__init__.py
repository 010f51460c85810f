"""POSIX sh scripts that run on the host, one file each."""
