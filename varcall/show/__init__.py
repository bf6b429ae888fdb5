"""Pictures for people: what the model was shown and asked at a place, and its answers."""
