//go:build linux && !minio

package stands

// minioKinds is MinIO, which takes minutes to build. It has the build tag of its tests.
func minioKinds() map[string]Kind { return nil }
