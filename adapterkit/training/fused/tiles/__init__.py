"""A decoder layer in six compiled passes over blocks of tokens: products, and all that stands between them."""
