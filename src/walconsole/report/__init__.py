"""What is written for others to read: lines, metrics, documents, the incident report. No I/O."""
