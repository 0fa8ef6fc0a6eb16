"""What `decorrelate` is made of, each class what the next one stands on.

outer       free references: which columns of the queries around it a relation reads
bound       questions about bound relations, before anything is rewritten
failing     whether a relation may fail, and so is computed only where it is asked for
substitute  a correlated WITH goes to where it is read
scope       what a relation is computed against, and the row that scalars are lowered over
shapes      the relations that it makes: joins back, semijoins, antijoins, defaults
subqueries  EXISTS, IN, ANY and ALL, scalar subqueries
joins       inner, outer and lateral joins
"""
