"""HTTP/1.1: the connection on the event loop, the routes, and what each answers."""
