// Package trust tells the faults of TLS that last from those that pass.
//
// A certificate that is not trusted, has another name or has expired stays so until a person does something, whichever
// store the connection was for. Clients bring such a fault in different wrappings, and some (gRPC, NATS, PostgreSQL) as
// text only. So it is known by what crypto/tls and crypto/x509 say, which all of them quote.
//
// # Rejected
//
// Types alone: half of the clients lose them. An exported function of package lease: whoever writes a store of their
// own knows their client. Judging answers of a server by the text: a server may quote a fault of a connection of its
// own; so only errors of connections are to be judged here.
package trust
