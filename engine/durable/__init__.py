"""What a data directory keeps: log.py, one SQLite file of the catalog, the tables' writes and source offsets."""
