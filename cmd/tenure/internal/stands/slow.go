//go:build linux && !apiserver

package stands

// slowKinds are the stores whose server takes minutes to build. They have the build tag of their tests.
func slowKinds() map[string]Kind { return nil }
