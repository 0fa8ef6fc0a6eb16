"""The optimiser's rules: each a pure function (relation, facts) -> relation with the same rows.

    outer_joins     before all: outer joins whose padding, or whose other side, makes no difference
    row_lists       before all: long lists of rows of constants, which are joined with
    array_queries   before all: the array of a query that a filter searches is the query
    lets        a WITH that is read once, or that keeps no state, goes where it is read
    fold        constants, and what boolean logic decides without looking at a row
    fuse        neighbours that are one node; what is empty; what does nothing
    joins       nested inner joins become one; an input that another one implies goes
    pushdown    predicates go to where their columns come from; `=` between inputs becomes an equivalence
    ranking     row_number(), rank(), dense_rank() <= k see a prefix of a partition (pushdown asks for it)
    fallible_keys   equalities that can fail are keys of a join where they do not
    eager           aggregates of hopping windows begin below the windows
    reductions      aggregates of what a join meets on go below it
    demand      columns that nobody reads go
    aggregates  not of the loop: the form of aggregates that operators take (lower asks for it)

A rule may drop the evaluation of what fails, never add one: no fallible scalar moves above what may keep a row from it.
"""
