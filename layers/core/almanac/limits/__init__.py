"""What a tenant may take: calls per time (rate limits), and how much it may keep and spend (quotas)."""
