"""What `lower` is made of.

dag         plans by structure: equal plans are one object
steps       chains of projections, maps and filters as the steps of one Mfp
joins       joins over plain columns, and their paths over the columns that are kept
join_order  the order in which a change of one input meets the others
windows     what is the same for all rows of a partition apart from what is not
loops       what of a recursion depends on its variables
"""
