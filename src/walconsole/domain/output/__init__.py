"""What leaves the console without a screen: a check's lines, metrics and JSON, the incident report."""
