package store

import (
	"cmp"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/go-tenure/tenure/lease/azureblob"
)

const azureForm = "azblob://ACCOUNT/CONTAINER"

var (
	azureAccount   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	azureContainer = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){2,62}$`)
)

// openAzureBlob opens a container of Azure Blob Storage. Credentials come from the environment, by the names that the
// az command reads; the address has none.
func openAzureBlob(address string) (Manager, func() error, error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Fragment != "" {
		return nil, nil, fault("%s is not written as %s", Redact(address), azureForm)
	}
	name := strings.Trim(u.Path, "/")
	if !azureAccount.MatchString(u.Host) || !azureContainer.MatchString(name) || len(name) > 63 {
		return nil, nil, fault("azblob: %.80q is no account, or %.80q no name of a container; write %s",
			u.Host, name, azureForm)
	}
	c, accountKey := azureblob.Config{}, ""
	endpoint := "https://" + u.Host + ".blob.core.windows.net"
	for parameter, values := range u.Query() {
		value := values[len(values)-1]
		switch {
		case parameter == "prefix":
			c.Prefix = value
		case parameter == "key-file":
			key, err := os.ReadFile(value)
			if err != nil {
				return nil, nil, err
			}
			accountKey = strings.TrimSpace(string(key))
		case parameter == "endpoint":
			endpoint = strings.TrimSuffix(value, "/")
		case parameter == "mode" && value == "native":
		case parameter == "mode" && value == "swap":
			c.Mode = azureblob.Swap
		case parameter == "mode":
			return nil, nil, fault("azblob: the mode %.40q is none; write native or swap", value)
		default:
			return nil, nil, fault("azblob: the parameter %.40q is unknown; known: prefix, mode, key-file, endpoint", parameter)
		}
	}
	if e, err := url.Parse(endpoint); err != nil || e.Host == "" || e.RawQuery != "" || e.User != nil {
		return nil, nil, fault("azblob: the endpoint is not written as https://HOST or http://HOST:PORT/ACCOUNT")
	}
	if c.Container, err = azureClient(u.Host, name, endpoint+"/"+name, accountKey); err != nil {
		return nil, nil, err
	}
	m, err := azureblob.New(c)
	if err != nil {
		return nil, nil, fault("%v", err)
	}
	return m, nil, nil
}

// azureClient uses the key that was read from a file, or else what the environment has.
func azureClient(account, name, address, key string) (*container.Client, error) {
	// Whoever asked asks again, and wants to know why it failed: left to itself the client waits four seconds first, and
	// what it then says is that the time is over.
	o := &container.ClientOptions{}
	o.Retry.MaxRetries = -1
	if s := os.Getenv("AZURE_STORAGE_CONNECTION_STRING"); s != "" && key == "" {
		c, err := container.NewClientFromConnectionString(s, name, o)
		if err != nil { // its text may quote the string
			return nil, fault("azblob: AZURE_STORAGE_CONNECTION_STRING is not one")
		}
		return c, nil
	}
	if key = cmp.Or(key, os.Getenv("AZURE_STORAGE_KEY")); key != "" {
		credential, err := container.NewSharedKeyCredential(account, key)
		if err != nil {
			return nil, fault("azblob: AZURE_STORAGE_KEY, or what is in key-file, is not written in base64")
		}
		return container.NewClientWithSharedKeyCredential(address, credential, o)
	}
	if token := os.Getenv("AZURE_STORAGE_SAS_TOKEN"); token != "" {
		return container.NewClientWithNoCredential(address+"?"+strings.TrimPrefix(token, "?"), o)
	}
	return nil, fault("azblob: there are no credentials; set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or " +
		"AZURE_STORAGE_SAS_TOKEN")
}
