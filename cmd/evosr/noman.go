//go:build !man

package main

import "github.com/spf13/cobra"

// extra are the commands that other builds have beside these.
func (a *app) extra() []*cobra.Command { return nil }
