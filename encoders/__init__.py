"""Patient files to embeddings to predictions with explanations."""
