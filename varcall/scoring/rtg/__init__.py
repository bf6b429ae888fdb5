"""The same comparison made by a user's own `rtg`."""
