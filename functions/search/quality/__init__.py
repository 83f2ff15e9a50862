"""How good a tenant's searches are, and whether its index says what its sources say."""
