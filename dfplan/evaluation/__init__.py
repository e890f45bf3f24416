"""Roll-outs of any agent, the metrics read from them, and the report a user keeps."""
