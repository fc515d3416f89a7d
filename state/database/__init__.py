"""The database: engine, schema, tables, migrations."""
