//go:build linux && apiserver

package servers

import (
	"net/http"
	"testing"
)

func TestAnAPIServerKeepsItsDataInItsEtcdAndComesBack(t *testing.T) {
	etcd := Test(t, Etcd())
	api := Test(t, KubeAPIServer("http://"+etcd.Addr()))
	const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
	if err := KubeDo(t.Context(), api.Instance, http.MethodPost, leases, `{"metadata":{"name":"a"}}`); err != nil {
		t.Fatal(err)
	}
	api.Kill()
	if err := KubeDo(t.Context(), api.Instance, http.MethodGet, leases+"/a", ""); err == nil {
		t.Fatal("a server that was killed answers")
	}
	if err := api.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := KubeDo(t.Context(), api.Instance, http.MethodGet, leases+"/a", ""); err != nil {
		t.Fatal(err)
	}
	if err := KubeDo(t.Context(), api.Instance, http.MethodGet, leases+"/b", ""); err == nil {
		t.Fatal("a Lease is there that nobody made")
	}
}
