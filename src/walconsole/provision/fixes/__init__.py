"""Steps that mend one thing: what a finding offers, behind the same gates as provisioning."""
