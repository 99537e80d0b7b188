"""The machine's side of hocba: PostgreSQL, Kafka, keys and processes on one computer.

Nothing here knows a school word, and no service imports it. It gives a newcomer, the demo and the tests what a
cluster gives in production: a broker, a database per service, certificates and supervised processes.
"""
