//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	led      = `,"node":"a","key":"k","to":"leader","reason":"won","term":4}` + "\n"
	wonOnce  = `{"v":1,"seq":9,"kind":"moved","from":"acquiring"` + led
	overran  = `{"v":1,"seq":10,"kind":"overrun","from":"leader"` + led
	wonAgain = `{"v":1,"seq":5,"kind":"moved","from":"acquiring"` +
		`,"node":"b","key":"k","to":"leader","reason":"won","term":4}` + "\n"
)

func TestWhatTenureRunWritesPassesTheAudit(t *testing.T) {
	dir, address := newStore(t)
	log := filepath.Join(dir, "events")
	for range 2 { // the second is another process under the same name
		args := []string{"run", "--store", address, "--name", "a", "--once", "--events", "json:" + log, "k", "--", "true"}
		if status, _, errs := call(t, args...); status != 0 {
			t.Fatalf("exit code is %d, %s", status, errs)
		}
	}
	status, out, errs := call(t, "audit", "--strict", log)
	if status != 0 || errs != "" || !strings.Contains(out, "tenures 2, restarts 1, faults 0, warnings 0\n") {
		t.Errorf("exit code is %d, %s%s\n%s", status, out, errs, read(log))
	}
}

func TestAnAuditReadsFilesTogetherOrStandardInput(t *testing.T) {
	one, two := file(t, wonOnce), file(t, wonAgain)
	status, out, _ := call(t, "audit", one, two)
	want := two + ":1: R4: b begins to lead \"k\" under term 4, which a had at " + one + ":1\n"
	if status != 1 || !strings.HasPrefix(out, want) {
		t.Errorf("exit code is %d, %s", status, out)
	}
	for _, args := range [][]string{{"audit"}, {"audit", "-"}} {
		p := tenure(t, args...)
		p.cmd.Stdin = strings.NewReader(wonOnce + wonAgain)
		if status := p.start(t).status(t); status != 1 || !strings.HasPrefix(p.out.String(), "line 2: R4: ") {
			t.Errorf("%v: exit code is %d, %s%s", args, status, p.out, p.err)
		}
	}
}

func TestWarningsCountOnlyIfAskedFor(t *testing.T) {
	log := file(t, wonOnce+overran)
	if status, out, _ := call(t, "audit", log); status != 0 || !strings.HasPrefix(out, log+":2: warning: R9: ") {
		t.Errorf("exit code is %d, %s", status, out)
	}
	if status, _, _ := call(t, "audit", "--strict", log); status != 1 {
		t.Errorf("exit code is %d", status)
	}
}

func TestWhatCannotBeAuditedIsAnsweredInOneLine(t *testing.T) {
	good, bad := file(t, wonOnce), file(t, wonOnce+"hello\n")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"/no/such/file"}, "no such file or directory; give a file that `tenure run --events json:FILE` wrote"},
		{[]string{os.TempDir()}, "is a directory"},
		{[]string{good, good}, "is given twice"},
		{[]string{bad}, bad + ":2: events: not an event: invalid character 'h'"},
		{[]string{"--tolerance", "0s", good}, "--tolerance 0s is not positive"},
		{[]string{"--tolerance", "much", good}, `invalid value "much" for flag -tolerance`},
		{[]string{"--quick", good}, "-quick is no flag of this command"},
	} {
		status, out, errs := call(t, append([]string{"audit"}, c.args...)...)
		if status != 64 || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "tenure audit: ") {
			t.Errorf("%v: exit code is %d, output %q, %q", c.args, status, out, errs)
		}
		if !strings.Contains(errs, c.says) {
			t.Errorf("%v: it says %q, want %q in it", c.args, errs, c.says)
		}
	}
}
