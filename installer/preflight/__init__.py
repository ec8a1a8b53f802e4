"""Can these hosts become nodes? Facts in one round trip per host, then every check on every host, no early
end."""
