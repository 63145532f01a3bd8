//go:build !linux

package file

func newSource(string) source { return newTimed() }

func lockHolder(string) (int, string) { return 0, "" }
