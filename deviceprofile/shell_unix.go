//go:build unix

package deviceprofile

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// shell makes a command in a process group of its own, so that what it started
// ends with it.
func shell(ctx context.Context, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { endGroup(cmd); return nil }
	cmd.WaitDelay = time.Second
	return cmd
}

// endGroup ends a started command and what it started.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // it may have ended by itself

// quoted is a word that the shell takes as it is.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
