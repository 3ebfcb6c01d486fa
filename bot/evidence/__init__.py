"""Looking: whatever a person has at hand, recognised by its content and read without changing anything."""
