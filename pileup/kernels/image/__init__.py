"""Pictures drawn."""
