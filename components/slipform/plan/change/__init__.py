"""The change between two graphs: resource by resource and field by field, what replaces, and what it means for traffic.

`aliases` says which resource of the one graph is which of the other, `fields` compares two resources' inputs,
`replacement` knows which fields cannot be updated, `consequence` what that does to the model; `diff` puts it together.
"""
