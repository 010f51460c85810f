"""What one snapshot says, assessed: the archiver, the copies, what would be lost, stories, the verdict."""
