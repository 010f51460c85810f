"""What is assessed of one snapshot: the archiver, what would be lost, stories, the verdict."""
