"""What gets installed on the droplet: the archive, restore and verify commands, the drop-in, the schedules.

The texts are templates in `templates/`; `files.droplet_files` fills them in from a profile. Nothing here
reaches a droplet, and no text holds a secret: keys are in the droplet's rclone configuration alone.
docs/droplet.md says what each script does, and what its exit codes mean.
"""
