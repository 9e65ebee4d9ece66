"""gRPC over our HTTP/2: messages and status (`wire`), the connection on the loop, and the service's methods."""
