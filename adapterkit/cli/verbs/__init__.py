"""The verbs, by what they do: each reads its options, calls a story or a thing, and hands the outcome to a view."""
