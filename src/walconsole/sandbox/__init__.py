"""The embedded droplet of `walconsole demo`: a real server in one temporary folder."""
