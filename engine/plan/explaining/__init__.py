"""What EXPLAIN prints, as data: a tree of nodes, of which the text and the JSON are two printings.

tree        a node, its text and its JSON
options     what is asked to be shown beside the operators
scalars     scalar expressions as text
names       what the columns of a relation and of a dataflow are called
relations   a relation -> a node
dataflows   a dataflow -> a node
"""
