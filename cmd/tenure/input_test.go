//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBadInputIsAnsweredInOneLineWithFaultAndRemedy(t *testing.T) {
	dir, address := newStore(t)
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := "--store=" + address
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 64, `no command; "tenure help" lists them`},
		{"lead", 64, `no command "lead"; "tenure help" lists them`},
		{"help lead", 64, `no command "lead"`},
		{"version please", 64, `"please"`},
		{"run", 64, `no "--" before the command; write`},
		{"run k true", 64, `no "--" before the command; write`},
		{"run STORE k", 64, `no "--" before the command; write`},
		{"run STORE k --", 64, `no command after "--"; write`},
		{"run STORE -- true", 64, `no KEY given; see`},
		{"run STORE k l -- true", 64, `do not know what to do with "l"; see`},
		{"run k -- true", 64, `no store given; use --store file:DIR`},
		{"run STORE --leader k -- true", 64, `-leader is no flag of this command; see`},
		{"run STORE --ttl soon k -- true", 64, `invalid value "soon" for flag -ttl`},
		{"run STORE --ttl 999ms k -- true", 64, "--ttl 999ms is less than 1s"},
		{"run STORE --ttl -5s k -- true", 64, "--ttl -5s is less than 1s"},
		{"run STORE --grace 100ms k -- true", 64, "--grace 100ms is less than 200ms"},
		{"run STORE --ttl 5s --grace 5s k -- true", 64, "--ttl 5s does not go with --grace 5s"},
		{"run STORE --wait -1s k -- true", 64, "--wait -1s is negative; leave it out"},
		{"run STORE --events xml k -- true", 64, `--events "xml" is unknown; use json`},
		{"run STORE --events json:/no/such/dir/f k -- true", 64, "no such file or directory; give a file"},
		{"run STORE --http nowhere k -- true", 64, "write :PORT or HOST:PORT"},
		{"run STORE --http 192.0.2.1:80 k -- true", 64, "choose another address"},
		{"run STORE --name sp\x01ce k -- true", 64, "printable ASCII only"},
		{"run STORE kéy -- true", 64, "printable ASCII only"},
		{"run --store consul://host k -- true", 64, `scheme "consul" is unknown; known: `},
		{"run --store consul://user:secret@host k -- true", 64, `put the address into TENURE_STORE`},
		{"run --store /var/lib k -- true", 64, "write file:/var/lib"},
		{"run --store file: k -- true", 64, "file: names no directory; write file:DIR"},
		{"run --store file://elsewhere/dir k -- true", 64, "not a directory of this host"},
		{"run --store file:PLAIN k -- true", 69, "PLAIN"},
		{"run STORE k -- no-such-command", 127, "no-such-command is not found in PATH; give its full path"},
		{"run STORE k -- /no/such/command", 127, "/no/such/command does not exist; check the path"},
		{"run STORE k -- PLAIN", 126, "is not executable; chmod +x it"},
		{"run STORE k -- /", 126, "/ cannot be executed"},
		{"status k", 64, "no store given"},
		{"status STORE", 64, "no KEY given"},
		{"status STORE k l", 64, `do not know what to do with "l"`},
		{"status --store file:PLAIN k", 69, "PLAIN"},
		{"watch STORE --every 1ms k", 64, "--every 1ms is less than 10ms; look less often"},
		{"resign STORE k", 1, "k: nobody leads; there is nobody to ask"},
		{"check", 64, "run it in a script that `tenure run` runs"},
		{"check now", 64, `do not know what to do with "now"`},
		{"doctor", 64, "no STORE given"},
		{"doctor zookeeper://host", 64, `scheme "zookeeper" is unknown; known: `},
		{"doctor file:PLAIN", 69, "PLAIN"},
		{"demo now", 64, `do not know what to do with "now"`},
		{"guard", 64, "started by `tenure run` and by nothing else; run that"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var args []string
			for _, a := range strings.Fields(c.args) {
				a = strings.ReplaceAll(a, "STORE", store)
				args = append(args, strings.ReplaceAll(a, "PLAIN", plain))
			}
			status, out, errs := call(t, args...)
			if status != c.status {
				t.Errorf("exit code is %d, want %d", status, c.status)
			}
			if want := strings.ReplaceAll(c.says, "PLAIN", plain); !strings.Contains(errs, want) {
				t.Errorf("it says %q, want %q in it", errs, want)
			}
			if strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "tenure") || out != "" {
				t.Errorf("want one line on standard error, got %q, and %q on standard output", errs, out)
			}
			if strings.Contains(errs, "secret") {
				t.Errorf("%q gives the password away", errs)
			}
		})
	}
}

func TestHelpExplainsEveryCommand(t *testing.T) {
	status, out, _ := call(t, "help")
	if status != 0 {
		t.Fatalf("exit code is %d", status)
	}
	for line := range strings.Lines(out) {
		if utf8.RuneCountInString(line) > 101 {
			t.Errorf("help has a line of more than 100 columns: %s", line)
		}
	}
	for _, c := range commands() {
		if c.hidden {
			continue
		}
		if !strings.Contains(out, c.summary) {
			t.Errorf("help says nothing of %s", c.name)
		}
		_, asked, _ := call(t, "help", c.name)
		status, flagged, _ := call(t, c.name, "--help")
		for line := range strings.Lines(asked) {
			if utf8.RuneCountInString(line) > 101 { // with its end
				t.Errorf("help of %s has a line of more than 100 columns: %s", c.name, line)
			}
		}
		if status != 0 || asked != flagged || !strings.HasPrefix(asked, "Usage: tenure "+c.name) {
			t.Errorf("help of %s is %q and %q, exit code %d", c.name, asked, flagged, status)
		}
	}
}

func TestTheCommandsOwnFlagsAreLeftAlone(t *testing.T) {
	_, address := newStore(t)
	status, out, errs := call(t, "run", "--once", "k", "--store", address, "--", "/bin/sh", "-c", "echo $0 $@",
		"--help", "--", "--once")
	if status != 0 || out != "--help -- --once\n" {
		t.Errorf("exit code is %d, output %q, %s", status, out, errs)
	}
}

func TestTheVersionIsPrinted(t *testing.T) {
	for _, arg := range []string{"version", "--version"} {
		if status, out, _ := call(t, arg); status != 0 || !strings.HasPrefix(out, "tenure ") {
			t.Errorf("%s: exit code is %d, output %q", arg, status, out)
		}
	}
}
