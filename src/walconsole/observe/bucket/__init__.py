"""What the buckets hold: listed, remembered, looked at again."""
