//go:build linux && minio

package servers

import "testing"

func TestMinIOAnswersAndComesBack(t *testing.T) { answersAndComesBack(t, MinIO()) }
