"""What a layer becomes: attention with one key for each query, or a window of them."""
