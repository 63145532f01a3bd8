package azureblob

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// blobs is where both modes keep their blobs.
type blobs struct {
	container *container.Client
	prefix    string
}

// name returns the name of the blob of key. Distinct keys have distinct names.
func (b *blobs) name(key string) string {
	var s strings.Builder
	s.WriteString(b.prefix)
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			s.WriteByte(c)
		default:
			fmt.Fprintf(&s, "=%02X", c)
		}
	}
	return s.String()
}

func (b *blobs) blob(key string) *blob.Client { return b.container.NewBlobClient(b.name(key)) }

// put writes the blob of key on the condition that its ETag is etag, or that there is none if etag is "". It makes the
// container if that is missing.
func (b *blobs) put(ctx context.Context, key string, content string, metadata map[string]*string, etag string) (string,
	error) {
	c := &blob.ModifiedAccessConditions{}
	if etag == "" {
		c.IfNoneMatch = to.Ptr(azcore.ETagAny)
	} else {
		c.IfMatch = to.Ptr(azcore.ETag(etag))
	}
	o := &blockblob.UploadOptions{
		Metadata:         metadata,
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: to.Ptr("application/json")},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: c},
	}
	for made := false; ; made = true {
		body := streaming.NopCloser(strings.NewReader(content))
		r, err := b.container.NewBlockBlobClient(b.name(key)).Upload(ctx, body, o)
		switch {
		case err == nil && r.ETag != nil:
			return string(*r.ETag), nil
		case err == nil:
			return "", nil
		case made || etag != "" || !bloberror.HasCode(err, bloberror.ContainerNotFound):
			return "", err
		}
		_, err = b.container.Create(ctx, nil)
		if err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
			return "", err
		}
	}
}

// absent reports whether err says that there is no such blob, or no container for it.
func absent(err error) bool {
	return bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ContainerNotFound)
}

// changed reports whether err says that the blob is not as the request demanded it.
func changed(err error) bool {
	return bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.BlobAlreadyExists)
}

// marker is the one entry of a blob's metadata in native mode: the record, as package register writes it.
const marker = "tenure"

// marked returns the record in metadata. The service does not keep upper and lower case of names apart.
func marked(metadata map[string]*string) (string, bool) {
	for name, value := range metadata {
		if strings.EqualFold(name, marker) && value != nil {
			return *value, true
		}
	}
	return "", false
}
