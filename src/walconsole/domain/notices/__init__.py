"""What is told to who does not look: when, in which words, by which ways, and what is still to be told."""
