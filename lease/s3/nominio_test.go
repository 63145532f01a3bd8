//go:build linux && !minio

package s3

// slowKinds are the servers that take minutes to build. They have the build tag of their tests.
func slowKinds() []kind { return nil }
