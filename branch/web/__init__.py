"""The pages, the HTTP API and the server that answers for them."""
