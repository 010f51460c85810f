"""What a step is, and what runs, records and prints it."""
