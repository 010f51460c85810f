"""A folder on a host that is reached by SSH, behind the same port as an S3 bucket."""
