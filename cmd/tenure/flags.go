package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-tenure/tenure/cmd/tenure/internal/store"
	"github.com/go-tenure/tenure/lease"
)

// flags is a flag set that may be mixed with arguments and that reports faults as one error.
type flags struct {
	*flag.FlagSet
	store *string
}

func newFlags(c *command) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(c.name, flag.ContinueOnError)}
	f.SetOutput(io.Discard)
	return f
}

// withStore adds the flag that every command has that talks to a store.
func (f *flags) withStore() *flags {
	f.store = f.String("store", os.Getenv("TENURE_STORE"), "")
	return f
}

// parse takes flags and arguments in any order, and returns the arguments. It wants as many as there are names for
// them.
func (f *flags) parse(args []string, names ...string) ([]string, error) {
	rest, err := f.mixed(args)
	if err == nil {
		err = f.want(rest, names...)
	}
	return rest, err
}

// mixed takes flags and arguments in any order, and returns the arguments.
func (f *flags) mixed(args []string) (rest []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "flag provided but not defined: ") + f.hint(err))
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// want returns an error unless there is an argument for each name, and a store.
func (f *flags) want(rest []string, names ...string) error {
	if len(rest) < len(names) {
		return errors.New("no " + names[len(rest)] + " given; " + f.help())
	}
	if len(rest) > len(names) {
		return errors.New("do not know what to do with " + quote(rest[len(names)]) + "; " + f.help())
	}
	if f.store != nil && *f.store == "" {
		return errors.New("no store given; use --store file:DIR or set TENURE_STORE")
	}
	if f.store != nil && f.given("store") {
		return checkSecret(*f.store)
	}
	return nil
}

func (f *flags) hint(err error) string {
	if strings.HasPrefix(err.Error(), "flag provided but not defined") {
		return " is no flag of this command; " + f.help()
	}
	return "; " + f.help()
}

func (f *flags) help() string { return `see "tenure help ` + f.Name() + `"` }

// given reports whether the flag was set on the command line.
func (f *flags) given(name string) bool {
	found := false
	f.Visit(func(g *flag.Flag) { found = found || g.Name == name })
	return found
}

// checkSecret refuses a password on the command line.
func checkSecret(address string) error {
	if !store.Secret(address) {
		return nil
	}
	return errors.New("the store address holds a password, which every user of this host could read here; " +
		"put the address into TENURE_STORE")
}

func quote(s string) string { return `"` + s + `"` }

// checkKey explains what is wrong with a key.
func checkKey(key string) error {
	if strings.HasPrefix(key, "-") {
		return errors.New("the key " + quote(key) + " looks like a flag; choose another")
	}
	return lease.CheckKey(key)
}

// defaultTTL is the length of the lease unless --ttl says otherwise.
const defaultTTL = 15 * time.Second
