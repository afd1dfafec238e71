"""A line of a server block to a value of the configuration: a module per plugin, under the plugin's name."""
