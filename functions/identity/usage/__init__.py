"""What a tenant uses of its quotas."""
