"""Keys for providers of models that are the tenant's own."""
