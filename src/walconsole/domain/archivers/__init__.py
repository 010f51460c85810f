"""Archive commands as they are written: whose one is, which programs it runs, what it reads."""
