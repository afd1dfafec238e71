"""Another server's answers beside those that the objects give."""
