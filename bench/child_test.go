package main

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// script is a process of a rival that says these lines, one for every command
// after the first.
func script(lines ...string) *exec.Cmd {
	text := "echo '" + lines[0] + "'\n"
	for _, l := range lines[1:] {
		text += "read -r command && echo '" + l + "'\n"
	}
	return exec.Command("sh", "-c", text)
}

func TestChild(t *testing.T) {
	c, err := startChild(script("ready Fake 1.0", "ok 2.5 0.5", "ok 2.5", "ok -1", "error no such session"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	if c.label != "Fake 1.0" {
		t.Errorf("label %q, want Fake 1.0", c.label)
	}
	r := &remote{c, "1"}
	p := pace{least: 2}
	if ms, err := r.frames(p); err != nil || len(ms) != 2 || ms[0] != 2.5 || ms[1] != 0.5 {
		t.Errorf("frames: %v, %v, want 2.5 and 0.5 ms", ms, err)
	}
	for _, want := range []string{"at least 2", "want ms", "no such session"} {
		if _, err := r.frames(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := r.frames(p); err == nil {
		t.Error("no error of a process that is gone")
	}
	for _, broken := range []*exec.Cmd{script("hello"), exec.Command("sh", "-c", "exit 3"), exec.Command("./no/such/program")} {
		if _, err := startChild(broken); err == nil {
			t.Errorf("%v: no error", broken)
		}
	}
}

// TestProcessCPU: the time of a process that works grows, and is not taken for
// that of others.
func TestProcessCPU(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	busy := exec.Command("sh", "-c", "while :; do :; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		busy.Process.Kill()
		busy.Wait()
	}()
	f := family{func() []int { return []int{busy.Process.Pid} }}
	begin := f.cpu()
	for start := time.Now(); f.cpu()-begin < 20*time.Millisecond; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%v of processor time in 10 s, want 20 ms", f.cpu()-begin)
		}
	}
}
