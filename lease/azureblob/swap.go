package azureblob

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

// swap is the [register.Register] of mode Swap. The version of a record is the ETag of its blob.
type swap struct{ *blobs }

// Load reads the content of the blob, see [register.Register].
func (s *swap) Load(ctx context.Context, key string) ([]byte, string, error) {
	r, err := s.blob(key).DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range: blob.HTTPRange{}, // all of it: an empty blob has no range
	})
	if absent(err) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", explain(err)
	}
	value, err := io.ReadAll(io.LimitReader(r.Body, register.MaxSize+1))
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, "", explain(err)
	}
	if _, native := marked(r.Metadata); native {
		return nil, "", lease.Permanent(fmt.Errorf("the blob %s keeps a native lease: set Config.Mode to Native, or "+
			"Config.Prefix to another", s.name(key)))
	}
	if r.ETag == nil {
		return nil, "", errors.New("the service sent no ETag")
	}
	return value, string(*r.ETag), nil
}

// Store replaces the content of the blob, see [register.Register].
func (s *swap) Store(ctx context.Context, key string, value []byte, version string) (string, error) {
	etag, err := s.put(ctx, key, string(value), nil, version)
	switch {
	case changed(err) || absent(err):
		return "", register.ErrConflict
	case err != nil:
		return "", explain(err)
	}
	return etag, nil
}
