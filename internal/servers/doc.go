// Package servers starts the real servers that stores are tested against: on free loopback ports, in temporary
// directories, and nothing else. It waits until a server is ready, stops exactly the processes that it started, and
// breaks them on purpose: kill -9, pause of the whole process tree, restart with or without the data. A [Proxy] between
// client and server breaks the network: nothing passes, only requests pass, connections are reset, or half of them is
// gone, or everything is late. A [Cluster] is servers that are one store, with such proxies between them, so
// that one can be cut off from the others.
//
// It is for tests, benchmarks and chaos runs on Linux, and imports the standard library alone, so that no store's
// go.mod grows by it. Each server is a [Spec] in a file of its own. Programs that Debian has are found where it puts
// them; those built from Go modules or installed by npm are pinned in internal/servers/programs and found in the
// user's cache, where .ci/setup puts them. A server that is missing is an error that says how to get it, never a
// reason to leave a test out.
//
// # Rejected
//
// Servers inside the test process: they cannot be killed or paused. Containers: they need a daemon that many machines,
// and most sandboxes, do not have. Fixed ports: two runs at once would meet. Ports of the ephemeral range: an
// outgoing connection may take one between its choice and its use. Process groups alone: the backends of PostgreSQL
// leave theirs, so the tree is walked. A network namespace for each member of a cluster: only root may make one. A
// proxy before each member that does not tell its peers apart: whom it connects to itself it would still reach.
package servers
