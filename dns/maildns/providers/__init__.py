"""Those who hold a zone for us, and let us write in it."""
