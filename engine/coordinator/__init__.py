"""From a client's statement to its answer.

session.py, conversation.py                the ways in to one client: texts, portals, subscriptions; one statement run
transaction.py, variables.py               its transaction block, its settings
acting.py                                  as which role it acts
activity.py                                the last statements of all clients
advisory.py                                the locks that clients agree on among themselves
sequence.py                                a statement -> bind -> what its bound form says, by family:
    changes.py, draft.py                     changes of the catalog: drafted, then published, in a block at COMMIT
        ddl.py, sources.py, sinks.py           CREATE and DROP, and what the worker is told of it
        reshape.py                             ALTER TABLE that makes it and what depends on it anew
        replacing.py                           ALTER MATERIALIZED VIEW that gives one another query
        alter.py, comments.py, clusters.py,    ALTER, COMMENT ON, roles: what changes and is not computed
            retention.py, roles.py, secrets.py, system_variables.py
    dml.py, write.py                         INSERT, UPDATE, DELETE, and rows without SQL: one write
    reads.py, finishing.py                   SELECT: look-up or one run of a dataflow; sort, cut, project
    explain.py, pipeline.py, plans.py        the planner's line and its stages; the plans of SELECTs asked before
ticks.py                                   group commit: whoever has work runs the tick for all that waits
subscription.py, complete.py               the bounded queue between the ticks and one subscriber; when it has an end
subscribing.py, durable.py                 subscriptions that are kept, whose reader may come back and acknowledges
load.py                                    rows as JSON, CSV or Arrow: one write
webhook.py                                 a request for a webhook source: checked, one write
describe.py                                what is known of an item
envelope.py                                changes by key
resume.py                                  going on behind the last tick that a subscriber has whole
coordinator.py                             what all of them share: catalog, clock, worker, log, heap
pace.py, turns.py                          how many rows of sources a tick takes; when other threads have a turn
oracle.py, options.py                      the one clock; every limit
record.py, recovery.py                     a tick into the log; a data directory back into a database
result.py, runtime.py, metrics.py          answers; what system relations and /metrics show
"""
