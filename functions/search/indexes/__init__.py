"""The indexes of a tenant: how they are, building one beside another, switching, rolling back."""
