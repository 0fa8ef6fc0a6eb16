"""Dataflows: plans as data, and the running graph that keeps their answers.

graph       the plan: immutable nodes that the planner lowers to and commands carry
operator    what every delta rule obeys; operators/ has one rule a file
render      from a plan's node to its operator
node        an operator with its readers, its arrangements (trace) and its errors; one tick through the nodes
circuit     the running graph: hash-consing, ticks, dropping; reading: what readers see of it; holding: who holds what
gate        look-ups beside changes: who is let in while a tick is published
turning     a collection that becomes what another is, under its readers
hydration   a view built beside the running ticks; oneshot: a plan evaluated once
"""
