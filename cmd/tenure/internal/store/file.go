package store

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/go-tenure/tenure/lease/file"
)

func openFile(address string) (Manager, func() error, error) {
	dir, err := directory(strings.TrimPrefix(address, "file:"))
	if err != nil {
		return nil, nil, err
	}
	m, err := file.New(file.Config{Dir: dir})
	if err != nil {
		return nil, nil, err // and not a nil *Manager that is not a nil Manager
	}
	return m, nil, nil
}

// directory returns the directory in file:DIR, file:/DIR and file:///DIR.
func directory(rest string) (string, error) {
	if path, ok := strings.CutPrefix(rest, "//"); ok {
		u, err := url.Parse("file://" + path)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Fragment != "" {
			return "", fault("%s is not a directory of this host; write file:DIR or file:///DIR", Redact("file:"+rest))
		}
		rest = u.Path
	}
	if rest == "" {
		return "", fault("file: names no directory; write file:DIR")
	}
	dir, err := filepath.Abs(rest)
	if err != nil {
		return "", fault("file:%s: %v; give the full path", rest, err)
	}
	return dir, nil
}
