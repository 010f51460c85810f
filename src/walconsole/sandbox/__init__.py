"""The embedded droplet of `walconsole demo`: real servers in one temporary folder.

A real PostgreSQL configured as Debian does it, a real SSH server whose commands really run, two
regions of Spaces on rclone behind a gate that knows keys and grants, and DigitalOcean's keys API.
Nothing listens beyond loopback. `python -m walconsole.sandbox` runs it as a process of its own.

`keys`, `keys_api` and `gate` need nothing of the rest: the tests use them too.
"""
