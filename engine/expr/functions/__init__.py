"""The families of functions. A file makes rows (registry.Function); nothing else has to know that they exist.

A row is made by `columns.each` from a Python function over values, by `columns.arrow` from one over Arrow arrays, or
names a kernel over vectors where speed asks for it.
"""
