//go:build linux

package servers

import (
	"crypto/tls"
	"testing"
)

// Those that begin in the clear are tested by the stores.
func TestServersThatSpeakNothingButTLSComeBackWithTheSameCertificates(t *testing.T) {
	for _, spec := range []Spec{Redis(), Valkey(), Etcd(), VersityGW()} {
		t.Run(spec.Name, func(t *testing.T) {
			t.Parallel()
			s := Test(t, Secure(spec))
			config, err := s.Certificates().Config()
			if err != nil {
				t.Fatal(err)
			}
			for _, again := range []func() error{
				nil, func() error { return s.Restart(t.Context()) }, func() error { return s.RestartEmpty(t.Context()) },
			} {
				if again != nil {
					if err := again(); err != nil {
						t.Fatal(err)
					}
				}
				c, err := tls.Dial("tcp", s.Addr(), config)
				if err != nil {
					t.Fatal(err)
				}
				_ = c.Close()
			}
			if c, err := tls.Dial("tcp", s.Addr(), &tls.Config{}); err == nil {
				t.Error("an authority of tests is trusted by this host")
				_ = c.Close()
			}
		})
	}
}
