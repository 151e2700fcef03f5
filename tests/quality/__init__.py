"""What `make quality` prints: the shape of the source, what the tests reach, and what they notice."""
