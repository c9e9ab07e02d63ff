package runner

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"evosr/internal/check"
	"evosr/rundir"
)

// killsWanted names the number of kills of TestKill; `make soak-kill` asks for
// 200.
const killsWanted = "EVOSR_KILLS"

// TestKill ends a run with SIGKILL at random moments, each time followed by the
// same command, and wants the front of a run that nobody disturbed.
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() { // under the race detector: make test has all of them
		kills = 4
	}
	if text := os.Getenv(killsWanted); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q, want a number above 0", killsWanted, text)
		}
		kills = n
	}
	child := func(dir string) *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childDir+"="+dir)
		return c
	}
	whole := filepath.Join(t.TempDir(), "whole")
	start := time.Now()
	if out, err := child(whole).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	length := time.Since(start)
	want := frontOf(t, whole)

	rng := check.Rand(t)
	landed, finished := 0, 0
	dir := filepath.Join(t.TempDir(), "run")
	stages := map[string]int{}
	finish := func() {
		if got := frontOf(t, dir); !bytes.Equal(got, want) {
			t.Fatalf("after %d kills the front is\n%s\nwant\n%s", landed, got, want)
		}
		sameModels(t, whole, dir)
		finished++
		dir = filepath.Join(t.TempDir(), "run")
	}
	// Each time a stage is chosen, and the signal comes at random after its
	// beginning: the stages last differently long on a busy machine.
	aims := []string{rundir.StageData, rundir.StageSupernet, rundir.StageSearch, rundir.StageSearch, rundir.StageWinners}
	for try := 0; landed < kills && try < 10*kills; try++ {
		aim, delay := aims[rng.IntN(len(aims))], time.Duration(rng.Float64()*float64(length)/3)
		killed, err := killAt(t, child(dir), aim, delay)
		switch {
		case err != nil:
			t.Fatalf("after %d kills: %v", landed, err)
		case !killed:
			finish()
		default:
			landed++
			stages[stageOf(dir)]++
			if got, err := os.ReadFile(filepath.Join(dir, rundir.FileFront)); err == nil && !bytes.Equal(got, want) {
				t.Fatalf("kill %d left a front.json that is not the front:\n%s", landed, got)
			}
		}
	}
	if landed < kills {
		t.Errorf("only %d kills landed, want %d", landed, kills)
	}
	if out, err := child(dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	finish()
	t.Logf("%d kills of %d runs, by stage: %v", landed, finished, stages)
}

// killAt runs c and kills it some time after it says that a stage begins. It
// says whether the signal ended it; c may be done before.
func killAt(t *testing.T, c *exec.Cmd, stage string, delay time.Duration) (killed bool, err error) {
	t.Helper()
	var talk bytes.Buffer
	c.Stderr = &talk
	said, err := c.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := c.Start(); err != nil {
		return false, err
	}
	for lines := bufio.NewScanner(said); lines.Scan() && lines.Text() != stage; {
	}
	timer := time.AfterFunc(delay, func() { _ = c.Process.Kill() }) // it may have ended
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, said)
	err = c.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && !exit.Exited() {
		return true, nil
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, talk.String())
	}
	return false, err
}

// stageOf says how far a run came, "" where it has not begun.
func stageOf(dir string) string {
	d, err := rundir.Open(dir)
	if err != nil {
		return ""
	}
	defer d.Close()
	s, err := d.Status()
	if err != nil {
		return ""
	}
	return s.Stage
}
