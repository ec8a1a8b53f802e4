"""How answers are shown: tables, JSON, YAML, sizes and ages."""
