"""One decoder layer as one differentiable function: unpadded tokens, grouped products, a backward pass by hand."""
