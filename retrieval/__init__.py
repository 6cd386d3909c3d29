"""A question to passages, therapy rows and similar cases."""
