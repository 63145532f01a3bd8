package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
)

func TestAnAddressOfAContainerThatCannotBeMeantIsRefused(t *testing.T) {
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
	t.Setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
	for address, says := range map[string]string{
		"azblob:":                             "no account",
		"azblob://account":                    "no name of a container",
		"azblob://account/UPPER":              "no name of a container",
		"azblob://me:secret@account/leases":   "is not written as",
		"azblob://account/leases?mode=fast":   "native or swap",
		"azblob://account/leases?sas=secret":  `"sas" is unknown`,
		"azblob://account/leases?prefix=a//b": "Config.Prefix",
		"azblob://account/leases?endpoint=x":  "endpoint",
	} {
		s, err := store.Open(address)
		if s != nil || !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error is %v, want ErrURL that says %q", address, err, says)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %q gives a secret away", address, err)
		}
	}
	good := "azblob://account/leases?prefix=a/&mode=swap&endpoint=http://127.0.0.1:1/account"
	for name, values := range map[string][2]string{
		"AZURE_STORAGE_KEY":               {"c2VjcmV0", "not base64!"},
		"AZURE_STORAGE_CONNECTION_STRING": {"AccountName=account;AccountKey=c2VjcmV0;EndpointSuffix=x", "c2VjcmV0"},
		"AZURE_STORAGE_SAS_TOKEN":         {"?sv=1&sig=c2VjcmV0", ""},
	} {
		for _, other := range []string{"AZURE_STORAGE_KEY", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN"} {
			t.Setenv(other, "")
		}
		t.Setenv(name, values[0])
		if _, err := store.Open(good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Setenv(name, values[1])
		if _, err := store.Open(good); !errors.Is(err, store.ErrURL) || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
