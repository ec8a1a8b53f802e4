"""WebSocket (RFC 6455), the server's side, without I/O: bytes in, events and bytes out. No extensions."""
