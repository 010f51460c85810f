"""The embedded regions of Spaces: a gate that decides as Spaces does, before rclone's server."""
