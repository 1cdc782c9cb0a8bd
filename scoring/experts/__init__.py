"""Who predicts, and whom to believe: each expert, how it learns from labels, and the mixture of them."""
