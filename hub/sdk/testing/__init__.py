"""The plugin test kit: what every source, sink and sandbox promises, as test classes to inherit."""
