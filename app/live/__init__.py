"""Live views: what the routes for websockets and server-sent events are made of.

names       a relation's name in a path or a message
datums      columns of a result -> rows of JSON values
frames      one batch of changes -> frames, the same for every subscriber that wants them alike
waker       many subscriptions wake the event loop once a tick
feed        one subscription: from its batches to the frames of its client, as fast as that takes them
socket      one websocket with its subscriptions: the conversation of ws /api/subscribe
"""
