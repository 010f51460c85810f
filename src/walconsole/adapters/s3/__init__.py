"""Spaces, or any S3: listing at scale by requests of our own, boto3 for what is rare."""
