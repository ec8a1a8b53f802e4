"""Reports in three forms: a table for people, JUnit for CI; JSON is ``EndpointReport.as_dict``."""
