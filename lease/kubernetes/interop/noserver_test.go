//go:build !(linux && apiserver)

package interop_test

import "testing"

// actors is the tests alone.
type actors struct{ *testing.M }
