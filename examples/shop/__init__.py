"""A shop that streams: customers (changes, as Debezium tells them), orders and clicks in Kafka, and views over them.

producer.py   the shop: the same events in every run, at a rate
shop.sql      connection, sources and views
demo.py       all of it on this machine with the broker of the tests: `make demo-kafka`, python -m examples.shop
../../docker-compose.yml has the same in containers, with Prometheus and Grafana beside it.
"""
