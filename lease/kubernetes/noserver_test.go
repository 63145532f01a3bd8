//go:build !(linux && apiserver)

package kubernetes

import "testing"

// withServer runs the tests that need no API server.
type withServer struct{ *testing.M }
