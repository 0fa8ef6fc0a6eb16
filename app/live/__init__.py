"""Live views: what the routes for websockets and server-sent events are made of.

frames      one batch of changes -> frames, the same for every subscriber that wants them alike
waker       many subscriptions wake the event loop once a tick
texts       what a websocket's client says
streams     what all streams of a server share
feed        one subscription: from its batches to the frames of its client, as fast as that takes them
socket      one websocket with its subscriptions: the conversation of ws /api/subscribe
sqlsocket   one websocket of ws /api/experimental/sql
events      one stream of server-sent events
"""
