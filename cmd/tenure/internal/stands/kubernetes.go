//go:build linux && apiserver

package stands

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/go-tenure/tenure/internal/servers"
)

// kubernetesKinds is Kubernetes, whose server takes minutes to build.
func kubernetesKinds() map[string]Kind {
	return map[string]Kind{"kubernetes": {
		Support: func() servers.Spec { return servers.Etcd() },
		Server: func(etcd *servers.Server) servers.Spec {
			s := servers.KubeAPIServer("http://" + etcd.Addr())
			init := s.Init
			s.Init = func(ctx context.Context, i servers.Instance) error {
				if err := init(ctx, i); err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(i.Dir, "token"), []byte(servers.KubeAdmin), 0o600)
			}
			return s
		},
		Address: func(s *servers.Server, at string) string {
			return "kubernetes://" + at + "/default?ca-file=" + servers.KubeCA(s.Instance) +
				"&token-file=" + filepath.Join(s.Dir, "token")
		},
		TTL: 3 * time.Second, Register: true, Notifies: true,
	}}
}
