package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

var pictures = flag.String("pictures", "", "a directory to keep the pictures and pages in")

// window is what a page is opened in.
type window struct {
	name       string
	wide, high int
	dark       bool
	anchor     string // where in the page to go
}

// view is a page as the browser shows it.
type view struct {
	window
	picture    *image.RGBA
	probe      probe
	complaints []string
}

// probe is what is found out about the page from inside of it.
type probe struct {
	Heading, Tip                         string
	Lanes, Loaded, Wide, Inner           int
	Leader, Held, Violation, Barred, Row box
}

// box is where something is in the window, in pixels.
type box struct{ X, Y, Wide, High float64 }

// asks is a script that goes to the end of the page and leaves its findings in the title.
const asks = `<script>
addEventListener("load", () => setTimeout(() => {
  const box = (what) => {
    const at = document.querySelector(what);
    if (!at) return { X: 0, Y: 0, Wide: 0, High: 0 };
    const r = at.getBoundingClientRect();
    return { X: r.x, Y: r.y, Wide: r.width, High: r.height };
  };
  const leader = document.querySelector("svg.lanes rect.leader");
  if (leader) leader.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
  const found = {
    Heading: document.querySelector("h1").textContent, Tip: document.getElementById("tip").textContent,
    Lanes: document.querySelectorAll("rect.lane0, rect.lane1").length,
    Loaded: performance.getEntriesByType("resource").length,
    Wide: document.documentElement.scrollWidth, Inner: innerWidth,
    Leader: box("svg.lanes rect.leader"), Held: box("svg.lanes rect.held"), Violation: box("svg.lanes path.violation"),
    Barred: box("svg.lanes path.barred"), Row: box("#violation"),
  };
  if (leader) leader.dispatchEvent(new MouseEvent("mouseout", { bubbles: true }));
  document.body.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
  document.title = JSON.stringify(found);
}, 0));
</script></body>`

// browsers are the names under which systems have Chromium.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

func browser(t *testing.T) string {
	t.Helper()
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("none of %v is on the PATH: run .ci/setup, or install Chromium", browsers)
	return ""
}

// open opens the page and takes a picture of it.
func (w window) open(t *testing.T, page string) *view {
	t.Helper()
	dir, err := os.MkdirTemp("", "tenure-browser-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path, picture := filepath.Join(dir, w.name+".html"), filepath.Join(dir, w.name+".png")
	asking := bytes.Replace([]byte(page), []byte("</body>"), []byte(asks), 1)
	if err := os.WriteFile(path, asking, 0o600); err != nil {
		t.Fatal(err)
	}
	dom, said := w.run(t, filepath.Join(dir, "profile"), path, picture)
	v := &view{window: w, complaints: complaints(said)}
	title := regexp.MustCompile(`<title>(\{.*\})</title>`).FindSubmatch(dom)
	if title == nil {
		t.Fatalf("%s: the page did not open\n%.500s\n%s", w.name, dom, said)
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(string(title[1]))), &v.probe); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(picture)
	if err != nil {
		t.Fatalf("%s: no picture was taken: %v\n%s", w.name, err, said)
	}
	decoded, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	v.picture = image.NewRGBA(decoded.Bounds())
	draw.Draw(v.picture, v.picture.Bounds(), decoded, decoded.Bounds().Min, draw.Src)
	if *pictures != "" && w.anchor == "" {
		err := errors.Join(os.WriteFile(filepath.Join(*pictures, w.name+".png"), raw, 0o600),
			os.WriteFile(filepath.Join(*pictures, w.name+".html"), []byte(page), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// run runs the browser, without a network, and returns the page as it ended up and what the browser has said.
func (w window) run(t *testing.T, profile, path, picture string) (dom, said []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND",
		"--user-data-dir=" + profile, "--hide-scrollbars", "--enable-logging=stderr", "--dump-dom", "--screenshot=" + picture,
		fmt.Sprintf("--window-size=%d,%d", w.wide, w.high),
	}
	if w.dark {
		args = append(args, "--blink-settings=preferredColorScheme=0")
	}
	cmd := exec.CommandContext(ctx, browser(t), append(args, "file://"+path+w.anchor)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with all that it starts
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = end, 10*time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if killed := end(); killed != nil && !errors.Is(killed, syscall.ESRCH) {
		t.Error(killed)
	}
	if err != nil {
		t.Fatalf("%s: the browser: %v\n%s", w.name, err, errs.Bytes())
	}
	return out.Bytes(), errs.Bytes()
}

// complaints finds what scripts and style sheets have given rise to. Much of the rest is about the machine.
func complaints(said []byte) (list []string) {
	for _, line := range regexp.MustCompile(`(?m)^.*CONSOLE.*$`).FindAll(said, -1) {
		list = append(list, string(line))
	}
	return list
}

// at is the colour of a pixel.
func (v *view) at(x, y float64) color.RGBA { return v.picture.RGBAAt(int(x), int(y)) }
