"""The archive screen: what the buckets really hold."""
