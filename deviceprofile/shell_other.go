//go:build !unix

package deviceprofile

import (
	"context"
	"os/exec"
	"time"
)

func shell(ctx context.Context, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd", "/C", text)
	cmd.WaitDelay = time.Second
	return cmd
}

// endGroup ends a started command.
func endGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() } // it may have ended by itself

// quoted is a word that the shell takes as it is.
func quoted(word string) string { return `"` + word + `"` }
