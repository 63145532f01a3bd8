//go:build linux && !apiserver

package stands

// kubernetesKinds is Kubernetes, whose server takes minutes to build. It has the build tag of its tests.
func kubernetesKinds() map[string]Kind { return nil }
